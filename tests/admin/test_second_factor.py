"""One-time codes, If-Match and how often one operator may ask."""

import msgspec
import pytest

from sep2.admin import one_time
from sep2.admin.access import COOKIE
from sep2.rest.operator_pace import BURST_S, OperatorPace, TooManyChanges
from tests.admin.conftest import Operator

PASSWORD = "correct horse battery"


async def sign_in(operator: Operator, code: str = "") -> int:
    body = {"name": "Ada", "password": PASSWORD, "code": code}
    async with operator.http.post("/login", data=msgspec.json.encode(body)) as answer:
        return answer.status


async def test_a_code_is_asked_for_beside_the_password_and_is_good_once(operator: Operator) -> None:
    await operator.change("POST", "/operators", {"name": "Ada", "role": "engineer", "password": PASSWORD})
    assert await sign_in(operator) == 200
    made = await operator.change("POST", "/operators/Ada/codes")
    assert made["link"].startswith(f"otpauth://totp/sep2:Ada?digits=6&secret={made['secret']}")
    entry = (await operator.get("/audit"))["items"][0]
    assert made["secret"] not in msgspec.json.encode(entry).decode()
    assert (await operator.get("/operators/Ada"))["has_codes"] is True
    assert (await operator.get("/sessions"))["total"] == 0
    now = operator.house.dates.now()
    (code,) = {one_time._codes(made["secret"]).generate(now // 30 * 30).decode()}
    assert await sign_in(operator) == 401
    assert await sign_in(operator, f"{(int(code) + 1) % 1_000_000:06d}") == 401
    assert await sign_in(operator, code) == 200
    assert await sign_in(operator, code) == 401
    await operator.change("DELETE", "/operators/Ada/codes")
    assert await sign_in(operator) == 200
    assert COOKIE.startswith("__Host-")


@pytest.mark.parametrize(("steps", "is_good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_wrong(steps: int, is_good: bool) -> None:
    secret, now = one_time.new_secret(), 1_800_000_015
    code = one_time._codes(secret).generate(now + 30 * steps).decode()
    assert (one_time.step_of(secret, code, now) is not None) is is_good
    assert one_time.step_of(secret, f"{code[:3]} {code[3:]}", now) == one_time.step_of(secret, code, now)
    assert one_time.step_of(secret, "", now) is None


async def test_what_was_changed_meanwhile_is_not_overwritten(street: Operator) -> None:
    async def tag() -> str:
        headers = {"Authorization": "Bearer a-token-of-more-than-thirty-two-characters"}
        async with street.http.get("/connections/NMI1", headers=headers) as answer:
            return answer.headers["ETag"]

    seen = await tag()
    body = {"description": "one"}
    assert (await street.ask("PUT", "/connections/NMI1", body, headers={"If-Match": seen}))[0] == 200
    status, refused = await street.ask("PUT", "/connections/NMI1", {"description": "two"}, headers={"If-Match": seen})
    assert (status, refused["code"]) == (412, "changed_meanwhile")
    assert (await street.get("/connections/NMI1"))["description"] == "one"
    for said in (f'"x", {await tag()}', "*"):
        more = {"headers": {"If-Match": said}, "params": {"dry_run": "true"}}
        assert (await street.ask("PUT", "/connections/NMI1", body, **more))[0] == 200
    status, _ = await street.ask("DELETE", "/connections/NMI2", headers={"If-Match": '"x"'})
    assert status == 412
    status, _ = await street.ask("PUT", "/poll-rates/Time", {"seconds": 60}, headers={"If-Match": "*"})
    assert status == 200


def test_one_operator_may_ask_so_often_and_others_are_not_held_up() -> None:
    now = 0.0
    pace = OperatorPace(50, 10, lambda: now)
    for _ in range(10 * BURST_S):
        pace.admit("Ada", change=True)
    with pytest.raises(TooManyChanges, match="10 changes a second"):
        pace.admit("ada", change=True)
    pace.admit("Ada", change=False)
    pace.admit("Bob", change=True)
    now = 0.2
    pace.admit("Ada", change=True)
    unbounded = OperatorPace(0, 0, lambda: now)
    for _ in range(10_000):
        unbounded.admit("Ada", change=True)
