"""Alarms from cause to end: told once, acknowledged, shelved, escalated, summed up, explained; by HTTP and by mail."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from sep2.admin.app import make
from sep2.clock import SteppedClock
from sep2.operations.alarms import Wanted, set_alarms
from sep2.rules.alarm_kinds import CAUSES, KINDS
from sep2.server.app import State
from sep2.settings import parse, resolved
from sep2.store import Database, alarms
from tests.admin.conftest import NOW, Operator
from tests.admin.test_receivers import System, until
from tests.admin.test_receivers import system as system  # noqa: PLC0414 - a fixture
from tests.cli.conftest import free_ports
from tests.self_signed import self_signed

MAIL_PASSWORD = "of the mail server"


class Post:
    """A mail server that takes mails of who is signed in, and says what it was told to."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
            self.to.append(list(envelope.rcpt_tos))
        return self.answer

    @staticmethod
    def authenticator(server: SMTP, session: Session, envelope: Envelope, mechanism: str, said: Any) -> AuthResult:
        known = LoginPassword(b"sep2", MAIL_PASSWORD.encode())
        return AuthResult(success=isinstance(said, LoginPassword) and said == known)


@pytest.fixture(scope="module")
def post_office(folder: Path) -> Iterator[tuple[Post, Controller]]:
    """A mail server with a certificate of its own, which asks for STARTTLS and a password."""
    self_signed(folder, "mail")
    (folder / "mail.password").write_text(MAIL_PASSWORD + "\n")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "mail.pem", folder / "mail.key")
    post = Post()
    controller = Controller(
        post,
        hostname="127.0.0.1",
        port=free_ports(1)[0],
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=Post.authenticator,
    )
    controller.start()
    yield post, controller
    controller.stop()


@pytest.fixture
def wide_house(database: Database, folder: Path, post_office: tuple[Post, Controller]) -> State:
    """A server that may tell systems on this machine, and has a mail server."""
    mail = {"host": "127.0.0.1", "port": post_office[1].port, "user": "sep2", "password_file": "mail.password"}
    mail |= {"sender": "sep2@utility.example", "authorities": ["mail.pem"]}
    settings = parse({"receivers": {"http": True, "loopback": True}, "mail": mail, "utility": {"zone": "Etc/GMT-10"}})
    return State(resolved(settings, folder), database, SteppedClock(NOW))


@pytest.fixture
async def desk(wide_house: State) -> AsyncIterator[Operator]:
    """An operator of a server whose alarms are announced."""
    sending = asyncio.create_task(wide_house.webhooks.run())
    async with TestClient(TestServer(make(wide_house))) as http:
        one = Operator(http, wide_house)
        await one.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
        await one.change("POST", "/connections", {"connection_id": "NMI1"})
        await one.change("POST", "/devices", {"client": "Sunny", "lfdi": "D1" * 20, "connection_id": "NMI1"})
        await settle(one)
        yield one
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def settle(desk: Operator) -> None:
    """Wait until who announces has looked at everything that it can."""

    async def is_settled() -> bool:
        async with desk.house.db.read() as db:
            return not [row for row in await alarms.standing(db) if row.news]

    desk.house.wake()
    await until(is_settled)


async def have(desk: Operator, code: str, *subjects: str, members: tuple[str, ...] = ()) -> None:
    """Have exactly these alarms of a code stand."""
    async with desk.house.db.write() as db:
        now = desk.house.clock.now()
        await set_alarms(db, code, {one: Wanted("it is so", members=members) for one in subjects}, now)
    desk.house.wake()


async def standing(desk: Operator, **query: str) -> dict[str, dict[str, Any]]:
    """Alarms in a state, by their names; that of devices without limits left out."""
    found = (await desk.get("/alarms", **query))["items"]
    return {one["name"]: one for one in found if one["code"] != "default_in_force"}


async def hook(desk: Operator, system: tuple[System, str], **more: Any) -> System:
    one, url = system
    await desk.change("POST", "/receivers", {"name": "DERMS", "url": url, "topics": ["alarms"], **more})
    return one


def said(one: System) -> list[tuple[str, str]]:
    return [(message["kind"], (message["data"] or {}).get("name", "")) for message in one.taken]


def test_every_kind_says_what_it_is_when_it_ends_and_what_to_do() -> None:
    for code, kind in KINDS.items():
        assert kind.priority in (1, 2, 3), code
        assert all(text.strip() for text in (kind.subject, kind.meaning, kind.raised, kind.cleared, kind.do)), code
        assert kind.by_hand is (kind.cleared == "by an operator"), code
        assert set(kind.under) <= KINDS.keys() - {code}, code
    assert KINDS.keys() >= CAUSES
    urgent = [code for code, kind in KINDS.items() if kind.priority == 1]
    assert len(urgent) <= len(KINDS) / 5, "what is always urgent is not"


async def test_people_read_names_and_not_identifiers(desk: Operator) -> None:
    await have(desk, "set_max_w", "A" * 40, members=("D1" * 20,))
    await have(desk, "mode_unsupported", "A" * 40 + " opModImpLimW")
    await have(desk, "device_moved", "D1" * 20)
    await have(desk, "delivery_failing", "Sunny at hook.example.com:443")
    found = await standing(desk)
    assert {name: (one["kind"], one["key"], one["client"]) for name, one in found.items()} == {
        "Sunny": ("client", "Sunny", "Sunny"),
        "Sunny opModImpLimW": ("client", "Sunny", "Sunny"),
        "NMI1": ("connection", "NMI1", "Sunny"),
        "Sunny at hook.example.com:443": ("receiver", "Sunny at hook.example.com:443", "Sunny"),
    }
    shown = await desk.get(f"/alarms/{found['Sunny']['id']}")
    assert (shown["members"], shown["count"]) == (["NMI1"], 1)
    assert shown["do"] == KINDS["set_max_w"].do


async def test_who_acknowledges_stands_beside_it_and_it_is_not_escalated(
    desk: Operator, system: tuple[System, str]
) -> None:
    one = await hook(desk, system)
    await have(desk, "clock_jump", "server a", "server b")
    await one.has(2)
    found = await standing(desk)
    await desk.change("POST", f"/alarms/{found['server a']['id']}/acknowledge", {"note": "Ada is on it"})
    acknowledged = (await standing(desk))["server a"]
    said_of = acknowledged["state"], acknowledged["acknowledged_by"], acknowledged["note"]
    assert said_of == ("acknowledged", "local", "Ada is on it")
    desk.advance(NOW + 299)
    await settle(desk)
    desk.advance(NOW + 300)
    await one.has(3)
    assert said(one) == [("raised", "server a"), ("raised", "server b"), ("escalated", "server b")]
    await have(desk, "clock_jump")
    await one.has(5)
    gone = await standing(desk, state="gone")
    assert list(gone) == ["server b"], "it is over, and nobody has said that they have seen it"
    await desk.change("POST", "/alarms/acknowledge", {"alarms": [gone["server b"]["id"]]})
    assert await standing(desk, state="gone") == {}


async def test_escalation_goes_to_the_receiver_that_is_for_it(desk: Operator, system: tuple[System, str]) -> None:
    one = await hook(desk, system, escalation=True)
    await have(desk, "client_silent", "Sunny")
    await settle(desk)
    desk.advance(NOW + 1800)
    await one.has(1)
    await have(desk, "client_silent")
    await one.has(2)
    assert said(one) == [("escalated", "Sunny"), ("cleared", "Sunny")]


async def test_a_shelved_alarm_is_out_of_the_list_until_its_end_and_comes_back(
    desk: Operator, system: tuple[System, str]
) -> None:
    one = await hook(desk, system)
    await have(desk, "client_silent", "Sunny", "gateway")
    await one.has(2)
    found = await standing(desk)
    number = found["Sunny"]["id"]
    before = (await desk.get("/alarm-counts"))["priority_2"]
    assert (await desk.ask("POST", f"/alarms/{number}/shelve", {"duration": 60}))[0] == 400, "it needs a reason"
    await desk.change("POST", f"/alarms/{number}/shelve", {"duration": 3600, "reason": "crew is on site"})
    assert set(await standing(desk)) == {"gateway"}
    assert (await desk.get("/alarm-counts"))["priority_2"] == before - 1
    (shelved,) = (await standing(desk, state="shelved")).values()
    assert (shelved["shelved_by"], shelved["shelved_because"], shelved["shelved_until"]) == (
        "local",
        "crew is on site",
        NOW + 3600,
    )
    gateway = found["gateway"]["id"]
    await desk.change("POST", f"/alarms/{gateway}/shelve", {"until": NOW + 3600, "reason": "known"})
    await have(desk, "client_silent", "Sunny")
    await one.has(3)
    desk.advance(NOW + 3600)
    await one.has(4)
    assert said(one)[2:] == [("cleared", "gateway"), ("raised", "Sunny")]
    assert (await standing(desk))["Sunny"]["state"] == "new"
    await desk.change("POST", f"/alarms/{number}/shelve", {"duration": 3600, "reason": "still there"})
    await desk.change("POST", f"/alarms/{number}/unshelve")
    assert set(await standing(desk)) == {"Sunny"}
    status, refused = await desk.ask("POST", f"/alarms/{number}/unshelve")
    assert (status, refused["code"]) == (409, "not_shelved")


async def test_operators_shelve_for_a_shift_and_engineers_for_longer(desk: Operator) -> None:
    await have(desk, "client_silent", "Sunny")
    number = (await standing(desk))["Sunny"]["id"]
    tokens = {}
    for role in ("viewer", "operator", "engineer"):
        await desk.change("POST", "/operators", {"name": role, "role": role})
        made = await desk.change("POST", "/tokens", {"operator": role, "label": "x"})
        tokens[role] = made["token"]
    day = {"duration": 86_400, "reason": "being rebuilt"}
    answers = [await desk.ask("POST", f"/alarms/{number}/shelve", day, token=tokens[role]) for role in tokens]
    assert [status for status, _ in answers] == [403, 403, 200]
    assert [answer.get("code") for _, answer in answers] == ["role_too_low", "shelved_too_long", None]
    status, _ = await desk.ask("POST", f"/alarms/{number}/shelve", {"duration": 91 * 86_400, "reason": "x"})
    assert status == 400


async def test_only_what_has_happened_is_cleared_by_hand(desk: Operator) -> None:
    await have(desk, "client_silent", "Sunny")
    await have(desk, "local_login", "break glass")
    found = await standing(desk)
    status, refused = await desk.ask("POST", f"/alarms/{found['Sunny']['id']}/clear")
    assert (status, refused["code"]) == (409, "cause_stands")
    await desk.change("POST", f"/alarms/{found['break glass']['id']}/clear")
    assert set(await standing(desk)) == {"Sunny"}
    assert (await desk.ask("POST", f"/alarms/{found['break glass']['id']}/clear"))[0] == 409
    assert (await desk.ask("POST", "/alarms/99999/clear"))[0] == 404


async def test_what_a_cause_explains_is_kept_and_not_announced(desk: Operator, system: tuple[System, str]) -> None:
    one = await hook(desk, system)
    await have(desk, "delivery_failing", "Sunny at hook.example.com:443", "Gale at hook.example.com:443")
    await one.has(2)
    await have(desk, "client_silent", "Sunny")
    await have(desk, "delivery_dead", "Sunny at hook.example.com:443")
    await one.has(3)
    await settle(desk)
    found = await standing(desk)
    assert set(found) == {"Sunny", "Gale at hook.example.com:443"}
    assert found["Sunny"]["explains"] == 2
    below = (await desk.get("/alarms", state="suppressed", under=str(found["Sunny"]["id"])))["items"]
    assert {row["code"] for row in below} == {"delivery_failing", "delivery_dead"}
    await have(desk, "client_silent")
    await one.has(4)
    desk.advance(NOW + 59)
    await settle(desk)
    assert set(await standing(desk)) == {"Gale at hook.example.com:443"}, "they have a minute to clear by themselves"
    desk.advance(NOW + 61)
    await one.has(5)
    assert said(one)[2:] == [("raised", "Sunny"), ("cleared", "Sunny"), ("raised", "Sunny at hook.example.com:443")]
    assert one.taken[4]["data"]["code"] == "delivery_dead", "nobody has heard of it yet; of the other they have"


async def test_a_cause_that_comes_back_is_the_same_alarm_and_one_that_chatters_is_not_told_each_time(
    desk: Operator, system: tuple[System, str]
) -> None:
    one = await hook(desk, system)
    for n in range(5):
        await have(desk, "client_clock", "Sunny")
        await settle(desk) if n < 3 else None
        await have(desk, "client_clock")
        await until(lambda n=n: len(one.taken) >= min(2 * n + 2, 6))
    desk.advance(NOW + 10)
    await have(desk, "client_clock", "Sunny")
    row = (await standing(desk))["Sunny"]
    assert (row["again"], row["state"]) == (5, "new")
    assert [kind for kind, _ in said(one)] == ["raised", "cleared"] * 3, "the fourth time it must stand for a while"
    desk.advance(NOW + 10 + 240)
    await one.has(7)
    assert one.taken[6]["data"]["again"] == 5
    desk.advance(NOW + 2000)
    await have(desk, "client_clock")
    await one.has(8)
    desk.advance(NOW + 2700)
    await have(desk, "client_clock", "Sunny")
    await one.has(9)
    assert (await standing(desk))["Sunny"]["again"] == 0, "after so long it is another one"


async def test_more_alarms_than_anybody_reads_are_summed_up(desk: Operator, system: tuple[System, str]) -> None:
    one = await hook(desk, system)
    many = [f"client {n:03}" for n in range(40)]
    await have(desk, "profile_mismatch", *many)
    await until(lambda: "alarm_flood" in [row["data"].get("code") for row in one.taken])
    await have(desk, "clock_jump", "server a")
    await until(lambda: ("raised", "server a") in said(one))
    alone = len(one.taken)
    assert alone < 20, "one by one they would be forty"
    assert (await desk.get("/alarm-counts"))["is_flood"]
    assert len(await standing(desk, limit="500")) == 42, "nothing is left out of the record"
    desk.advance(NOW + 60)
    await one.has(alone + 1)
    digest = one.taken[alone]
    assert (digest["kind"], digest["data"]["codes"]) == ("digest", {"profile_mismatch": 40})
    await have(desk, "profile_mismatch")
    desk.advance(NOW + 130)
    await one.has(alone + 2)
    assert (one.taken[alone + 1]["kind"], one.taken[alone + 1]["data"]["cleared"]) == ("digest", 40)
    desk.advance(NOW + 700)
    await until(lambda: ("cleared", "alarms") in said(one))
    figures = await desk.get("/alarm-figures")
    assert figures["busiest_10_min"] >= 40
    assert not figures["is_flood"]


async def test_receivers_choose_by_code_hours_and_priority(desk: Operator, system: tuple[System, str]) -> None:
    one = await hook(desk, system, codes=["client_silent"], hours="07:00-18:00")
    assert (await desk.ask("PUT", "/receivers/DERMS", {"codes": ["nonsense"]}))[0] == 400
    assert (await desk.ask("PUT", "/receivers/DERMS", {"hours": "7-18"}))[0] == 400
    await have(desk, "client_silent", "Sunny")
    await have(desk, "disk_low", "disk of /")
    await settle(desk)
    assert (NOW // 3600 + 10) % 24 == 18, "it is evening there"
    await desk.change("PUT", "/receivers/DERMS", {"hours": "17:30-07:00"})
    await have(desk, "client_silent", "gateway")
    await one.has(2)
    assert said(one) == [("raised", "gateway"), ("cleared", "Sunny")]


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
    for step in range(20):
        desk.advance(NOW + 30 * (step + 1))
        await settle(desk)
        if "Ada" in str(await standing(desk)):
            break
        await asyncio.sleep(0.1)
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


async def test_two_servers_that_notice_the_same_thing_at_once_raise_one_alarm(desk: Operator) -> None:
    async def notice(n: int) -> int:
        async with desk.house.db.write() as db:
            return await alarms.raise_one(db, "certificate_expiring", "server x", f"seen by {n}", now=NOW)

    assert len(set(await asyncio.gather(*(notice(n) for n in range(8))))) == 1
    assert len([name for name in await standing(desk) if name == "server x"]) == 1


async def test_without_a_mail_server_nobody_is_promised_mail(operator: Operator) -> None:
    body = {"name": "Ada", "url": "mailto:ada@utility.example", "topics": ["alarms"]}
    status, refused = await operator.ask("POST", "/receivers", body)
    assert (status, refused["code"]) == (409, "no_mail_server")
