"""A server that runs does what its OpenAPI document says, whatever fits the document and whatever does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)

from sep2.admin.app import TITLE
from sep2.admin.table import TABLE
from sep2.rest.openapi import document
from tests.cli.conftest import say, serving
from tests.ports import free_ports

EXAMPLES = 4
"""Of each route."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
    use_after_free,
]
schema = schemathesis.openapi.from_dict(document(TITLE, TABLE))
# An If-Match that is not met is a refusal too, and comes before others.
schema.config.checks.negative_data_rejection.expected_statuses += ["412"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server of its own, and its token."""
    made = tmp_path_factory.mktemp("contract") / "utility"
    port, operator_port = free_ports(2)
    done = say("init", str(made), "--port", str(port), "--operator-port", str(operator_port), "--clock", "paced")
    assert done.status == 0, done.err
    env = {"SEP2_DIR": str(made)}
    with serving(made):
        assert say("aggregator", "add", "Sunny", "--lfdi", "A" * 40, env=env).status == 0
        assert say("connection", "add", "NMI1", env=env).status == 0
        yield f"http://127.0.0.1:{operator_port}", Path(made / "operator.token").read_text().strip()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_server_does_what_its_document_says(case: Case[Any], server: tuple[str, str]) -> None:
    url, token = server
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
