"""Every change of the operator API can be made in a browser."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from sep2.admin.table import routes
from sep2.desk.derived import PAGES, forms
from sep2.desk.door import Visit
from sep2.desk.forms import Form
from sep2.desk.pages.changing import body_of
from tests.admin.bodies import BODIES
from tests.desk.conftest import Room, Sight
from tests.desk.test_journey import fill

CHANGES = [route for route in routes() if route.changes and route.handler not in PAGES]
HERE = cast(
    Visit, SimpleNamespace(now=0, state=SimpleNamespace(settings=SimpleNamespace(utility=SimpleNamespace(zone="UTC"))))
)


def typed(form: Form, body: Any) -> dict[str, str]:
    """What a person types for a body: a part of it by its path, lists parted as the field asks, the rest as it is."""
    said = {}
    for field in form.fields:
        value: Any = body
        for part in field.name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        said[field.name] = _words(field.kind, value)
    return said


def _words(kind: str, value: Any) -> str:
    if value is None or value is False:
        return {"choice": "no"}.get(kind, "") if value is False else ""
    if value is True:
        return "yes" if kind == "choice" else "true"
    if kind == "json":
        return json.dumps(value)
    if kind == "days":
        return str(value / 86_400)
    if kind == "time":
        return datetime.fromtimestamp(value, UTC).isoformat()
    return {"names": ", ", "list": " "}.get(kind, "").join(map(str, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("route", CHANGES, ids=[route.verb for route in CHANGES])
def test_every_change_has_a_form_into_which_its_body_can_be_typed(route: Any) -> None:
    asked = [form for form in forms().values() if form.handler is route.handler]
    said = {name: value for name, value in BODIES.get(route.verb, {}).items() if value not in ("", [], {}, None)}
    names = {field.name.split(".")[0] for form in asked for field in form.fields}
    assert said.keys() - {"digest"} <= names
    # Those that the page itself reads are filled in a browser below.
    for form in (one for one in asked if not one.is_direct):
        top = {field.name.split(".")[0]: field for field in form.fields}
        wanted = {name: value for name, value in said.items() if name in top}
        if wanted.keys() >= {name for name, field in top.items() if field.required and field.kind != "path"}:
            got = msgspec.to_builtins(body_of(form, typed(form, wanted), HERE))
            whole = msgspec.to_builtins(msgspec.convert(wanted, route.asked))
            assert {name: got.get(name) for name in wanted} == {name: whole[name] for name in wanted}


async def test_a_change_without_a_form_of_its_own_is_filled_tried_and_sent(room: Room) -> None:
    async with room.sight() as sight:
        await sight.go("/desk/changes")
        assert "Create group" in await sight.text()
        await fill(sight, "create-group", name="first, second", primacy="30")
        assert "first, second" in json.dumps(await room.operator.get("/groups"))
        await fill(sight, "set-default&of=first,%20second", **{"limits\\.export_w": "2.5 kW"})
        found = await room.operator.get("/groups/first, second/default")
        assert found["limits"]["export_w"] == 2500
        await _secret(sight, room)
        await _imported(sight, room)
        assert not sight.wrong


async def _secret(sight: Sight, room: Room) -> None:
    """A token is shown once, where it was asked for."""
    await sight.go("/desk/change?form=add-token")
    await sight.page.fill("#f-operator", "local")
    await sight.page.fill("#f-label", "pump")
    await sight.page.click("text=Show what it would do")
    await sight.page.click(".sheet .send")
    await sight.page.wait_for_selector("#answer dl")
    assert "sep2_" in await sight.text("#answer")
    assert "sep2_" not in sight.page.url


async def _imported(sight: Sight, room: Room) -> None:
    """A file of connections is imported, after its rows were looked at."""
    await sight.go("/desk/change?form=import-sheets")
    rows = b'connection_id,description\r\nNMI901,"a ""quoted"", one"\r\nNMI902,\r\n'
    await sight.page.set_input_files("#f-connections", {"name": "c.csv", "mimeType": "text/csv", "buffer": rows})
    await sight.page.click("text=Show what it would do")
    await sight.page.wait_for_selector("#answer dl")
    assert not any(one["connection_id"] == "NMI901" for one in (await room.operator.get("/connections"))["items"])
    await sight.page.click("form .send")
    await sight.page.wait_for_selector("#said:has-text('Done.')")
    (found,) = [one for one in (await room.operator.get("/connections"))["items"] if one["connection_id"] == "NMI901"]
    assert found["description"] == 'a "quoted", one'


async def test_a_customer_moves_in_and_out_and_is_erased_from_the_connection(room: Room) -> None:
    async with room.sight() as sight:
        for label, path in (("Move out…", "NMI1"), ("Move in…", "NMI1")):
            await sight.go("/desk/connection?id=NMI1")
            await sight.page.click(f"text={label}")
            await sight.page.click("text=Show what it would do")
            await sight.page.click(".sheet .send")
            await sight.page.wait_for_url(f"**/desk/connection?id={path}")
        first, second = await room.operator.get("/connections/NMI1/customers")
        assert first["until"] is None
        assert second["until"] == first["since"]
        await sight.go("/desk/connection?id=NMI1")
        await sight.page.click("text=Erase…")
        await sight.page.click("text=Show what it would do")
        await sight.page.click(".sheet .send")
        await sight.page.wait_for_url("**/desk/connections")
        assert (await room.operator.get("/audit"))["items"][0]["verb"] == "erase_connection"
        assert not sight.wrong
