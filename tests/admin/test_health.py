"""What machines that watch the server are told: health, readiness, metrics, and logs that a program reads."""

import io
import json
import logging
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sep2.server.app import State
from sep2.store.connection import Unreachable
from sep2.terminal import JsonFormatter, LogFormatter, request_id
from tests.admin.conftest import TOKEN, Operator


async def _open(operator: Operator, path: str, **headers: str) -> tuple[int, str]:
    async with operator.http.get(path, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_health_and_readiness_are_told_to_everybody(operator: Operator) -> None:
    assert await _open(operator, "/healthz") == (200, '{"status":"ok"}')
    status, said = await _open(operator, "/readyz", Host="10.1.2.3:8444")
    assert (status, json.loads(said)["ready"]) == (200, True)
    assert set(json.loads(said)["checks"].values()) == {"ok"}


class Gone:
    """A database that can not be reached."""

    def read(self) -> Any:
        raise Unreachable("gone")


async def test_a_server_without_its_database_is_alive_and_not_ready(operator: Operator, house: State) -> None:
    house.db = Gone()  # type: ignore[assignment]
    assert (await _open(operator, "/healthz"))[0] == 200
    status, said = await _open(operator, "/readyz")
    assert (status, json.loads(said)["checks"]["database"]) == (503, "unreachable")
    status, said = await _open(operator, "/metrics")
    assert (status, "sep2_database_up 0.0" in said) == (200, True)


async def test_metrics_are_what_was_counted(street: Operator) -> None:
    await street.get("/devices")
    assert (await street.ask("GET", "/devices/FFFF"))[0] == 404
    await street.ask("GET", "/nothing-here")
    status, said = await _open(street, "/metrics")
    assert status == 200
    samples = {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(said)
        for sample in family.samples
    }
    assert samples["sep2_clients", ()] == 2
    assert samples["sep2_devices", ()] == 3
    assert samples["sep2_database_up", ()] == 1
    assert samples["sep2_operator_requests_total", ("/devices", "200", "GET")] == 1
    assert samples["sep2_operator_requests_total", ("/devices/{device}", "404", "GET")] == 1
    assert samples["sep2_operator_requests_total", ("404", "GET", "none")] == 1
    assert {labels for name, labels in samples if name == "sep2_alarms"} == {("1",), ("2",), ("3",)}
    assert "D1D1" not in said
    assert "NMI1" not in said


async def test_a_wrong_token_sees_no_metrics(operator: Operator) -> None:
    assert (await _open(operator, "/metrics", Authorization="Bearer wrong"))[0] == 401
    assert (await _open(operator, "/metrics", Authorization=f"Bearer {TOKEN}"))[0] == 200


async def test_a_request_has_one_id_in_answer_log_and_audit(
    operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sep2.rest.front")
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("sep2.rest.front")
    logger.addHandler(handler)
    try:
        async with operator.http.post(
            "/connections", json={"connection_id": "NMI1"}, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as answer:
            number = answer.headers["X-Request-Id"]
    finally:
        logger.removeHandler(handler)
    (line,) = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (line["request"], line["level"], line["logger"]) == (number, "info", "sep2.rest.front")
    assert (await operator.get("/audit"))["items"][0]["request"] == number


def test_what_is_logged_stays_on_its_line() -> None:
    record = logging.LogRecord("sep2", logging.INFO, "x", 1, "a\n\x1b[31m%s", ("b\u202e",), None)
    token = request_id.set("7f")
    try:
        for formatter in (JsonFormatter(), LogFormatter("%(message)s")):
            said = formatter.format(record)
            assert "\n" not in said
            assert "\x1b" not in said
            assert "7f" in said
    finally:
        request_id.reset(token)
    assert json.loads(JsonFormatter().format(record))["message"] == "a\\n\\x1b[31mb\\u202e"
