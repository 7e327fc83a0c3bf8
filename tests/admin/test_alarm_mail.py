"""People are told of alarms by mail: once, with what to do, by a server that asks for STARTTLS and a password."""

import asyncio

import pytest
from aiosmtpd.controller import Controller

from sep2.rules.alarm_kinds import KINDS
from tests.admin.announced import desk as desk  # noqa: PLC0414 - a fixture
from tests.admin.announced import have, settle, standing
from tests.admin.announced import post_office as post_office  # noqa: PLC0414 - a fixture
from tests.admin.announced import wide_house as wide_house  # noqa: PLC0414 - a fixture
from tests.admin.conftest import NOW, Operator
from tests.admin.post_office import Post
from tests.admin.test_receivers import until


async def test_people_are_told_by_mail_once_with_what_to_do(
    desk: Operator, post_office: tuple[Post, Controller]
) -> None:
    post, _ = post_office
    post.taken.clear()
    body = {"name": "Ada", "url": "mailto:ada@utility.example,joe@utility.example", "topics": ["alarms"]}
    made = await desk.change("POST", "/receivers", body)
    assert made["secret"] == "", "mail is not signed"
    assert (await desk.ask("POST", "/receivers", body | {"name": "x", "topics": ["controls"]}))[0] == 400
    for bad in ("mailto:ada", "mailto:ada@x?bcc=eve@x", "mailto:ada@x\r\nBcc: eve@x", "mailto:"):
        assert (await desk.ask("POST", "/receivers", body | {"name": "x", "url": bad}))[0] == 400, bad
    await have(desk, "client_silent", "Sunny")
    await until(lambda: len(post.taken) == 1)
    (mail,) = post.taken
    assert post.to[-1] == ["ada@utility.example", "joe@utility.example"]
    assert mail["Subject"] == f"priority 2, Sunny: {KINDS['client_silent'].meaning}"
    assert mail["From"] == "sep2@utility.example"
    text = mail.get_content()
    assert "client_silent, Sunny: it is so" in text
    assert "What to do: Call the client's desk." in text.replace("\n", " ")
    assert "+1000" in text, "times are local"


async def test_what_the_mail_server_does_not_take_waits_and_goes_into_one_mail(
    desk: Operator, post_office: tuple[Post, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    post, _ = post_office
    post.taken.clear()
    monkeypatch.setattr(post, "answer", "451 later")
    await desk.change("POST", "/receivers", {"name": "Ada", "url": "mailto:ada@utility.example", "topics": ["alarms"]})
    await have(desk, "client_silent", "Sunny")
    await until(lambda: _error(desk, "451"))
    await have(desk, "client_clock", "Sunny\r\nBcc: eve@x")
    for step in range(400):
        desk.advance(NOW + 30 * (step + 1))
        await settle(desk)
        if "Ada" in str(await standing(desk)):
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("nobody is told that a receiver gets nothing")
    undeliverable = [one for one in (await desk.get("/alarms"))["items"] if one["code"] == "alarm_undeliverable"]
    assert [(one["priority"], one["subject"]) for one in undeliverable] == [(2, "receiver Ada")]
    monkeypatch.setattr(post, "answer", "250 OK")
    await desk.change("POST", "/receivers/Ada/replay")
    await until(lambda: len(post.taken) == 1)
    text = post.taken[0].get_content()
    assert "client_silent" in text
    assert "client_clock" in text
    assert post.taken[0]["Bcc"] is None
    await until(lambda: _stands(desk, "alarm_undeliverable", False))


async def _error(desk: Operator, text: str) -> bool:
    return text in (await desk.get("/receivers/Ada"))["error"]


async def _stands(desk: Operator, code: str, wanted: bool) -> bool:
    return (code in {one["code"] for one in (await desk.get("/alarms"))["items"]}) is wanted


async def test_without_a_mail_server_nobody_is_promised_mail(operator: Operator) -> None:
    body = {"name": "Ada", "url": "mailto:ada@utility.example", "topics": ["alarms"]}
    status, refused = await operator.ask("POST", "/receivers", body)
    assert (status, refused["code"]) == (409, "no_mail_server")
