"""Forms of the register: what a change would answer is shown before it is sent; the address is the form."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from sep2.desk.derived import forms, listed
from sep2.desk.door import Visit, route_of
from sep2.desk.forms import Field, Form
from sep2.errors import BadValue, NotFound, SepError
from sep2.rest import decoding
from sep2.rest.types import Asked
from sep2.rules import typed_times

DAY_S = 86_400
LARGEST = 1e15
UNITS = {"w": 1, "kw": 1000, "mw": 1_000_000}
MOST_SHOWN = 30
_DRAWN = re.compile(r"[0-9A-Fa-f]{16,}")
"""Identifiers: they are drawn for what is made, and are typed for what is there."""
_VOLATILE = ("created", "label", "lfdi", "sfdi", "pin", "registered", "changed", "until", "known_by", "id", "message")


class NoSuchForm(NotFound):
    """The desk has no form of that name."""


class BadField(BadValue):
    """A field of the form can not be read."""


class FormQuery(Asked, frozen=True, kw_only=True):
    """Which form, about what, and whether it was filled."""

    form: Annotated[str, Meta(max_length=40)]
    of: Annotated[str, Meta(max_length=200)] = ""
    filled: bool = False


async def show(visit: Visit) -> dict[str, Any]:
    """A form and, where it was filled, what sending it would answer."""
    named = {name: value for name, value in visit.query.items() if name in ("form", "of", "filled")}
    asked: FormQuery = decoding.values(named, FormQuery)
    form = forms().get(asked.form)
    if form is None:
        raise NoSuchForm(asked.form)
    said = {field.name: visit.query.get(field.name, "" if asked.filled else field.start) for field in form.fields}
    found: dict[str, Any] = {
        "title": form.title,
        "form": form,
        "name": asked.form,
        "of": asked.of,
        "said": said,
        "refused": "",
        "answer": [],
        "body": "",
        "digest": "",
        "may": visit.may(form.handler),
        "needs": visit.needs(form.handler),
        "route": route_of(form.handler),
    }
    return found | (await _tried(visit, form, asked.of, said) if asked.filled else {})


async def show_all(visit: Visit) -> dict[str, Any]:
    """Every change that an operator can make, with the page where it is made and the role that it needs."""
    every = [one | {"may": visit.may(one["route"].handler)} for one in listed()]
    return {"of": {one["of"]: [other for other in every if other["of"] == one["of"]] for one in every}}


async def _tried(visit: Visit, form: Form, of: str, said: dict[str, str]) -> dict[str, Any]:
    route = route_of(form.handler)
    if form.of and not of.strip():
        return {"refused": f"{form.of}: is not filled in"}
    try:
        ids = ({form.of: of} if form.of else {}) | _ids(form, said)
        body = body_of(form, said, visit)
        answer = _plain(await visit.try_out(form.handler, body, **ids))
    except (msgspec.ValidationError, SepError) as refusal:
        return {"refused": str(refusal)}
    steady = {} if route.secret else _steady(answer)
    name = str(answer.get("name") or answer.get("connection_id") or of)
    then = form.then.replace("{of}", quote(of, safe="")).replace("{name}", quote(name, safe=""))
    if answer.get("digest") and "digest" in route.asked.__struct_fields__:
        body = msgspec.structs.replace(body, digest=answer["digest"])
    return {
        "answer": [] if route.secret else _said(answer),
        "body": msgspec.json.encode(body).decode(),
        "digest": hashlib.sha256(msgspec.json.encode(steady, order="deterministic")).hexdigest()[:12],
        "path": _path(route.path, ids),
        "then": "" if route.secret else then,
    }


def _steady(value: Any) -> Any:
    """An answer without what is drawn anew each time, such as an mRID: that is no change of the world."""
    if isinstance(value, dict):
        return {key: _steady(one) for key, one in value.items() if key not in _VOLATILE}
    if isinstance(value, list):
        return [_steady(one) for one in value]
    return "" if isinstance(value, str) and _DRAWN.fullmatch(value) else value


def _plain(answer: Any) -> dict[str, Any]:
    found = msgspec.to_builtins(answer, str_keys=True)
    return found if isinstance(found, dict) else {"answer": found}


def _said(plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    """An answer as pairs of words."""
    return [(key.replace("_", " "), _text(value)) for key, value in plain.items()][:MOST_SHOWN]


def _path(path: str, ids: Mapping[str, str]) -> str:
    """The address of a change, with what it is about."""
    for name, value in ids.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return path


def _ids(form: Form, said: Mapping[str, str]) -> dict[str, str]:
    """What the address names beside the first thing."""
    return {field.name: _needed(field, said[field.name].strip()) for field in form.fields if field.kind == "path"}


def body_of(form: Form, said: Mapping[str, str], visit: Visit) -> Any:
    """The body of the operation from what was typed; an empty field says nothing."""
    found: dict[str, Any] = {}
    for field in form.fields:
        value = None if field.kind == "path" else _value(field, said[field.name].strip(), visit)
        if value is not None:
            within = found
            *parts, last = field.name.split(".")
            for part in parts:
                within = within.setdefault(part, {})
            within[last] = value
    return msgspec.convert(found, form.body, strict=False)


def _needed(field: Field, said: str) -> str:
    if not said:
        raise BadField(f"{field.name}: is not filled in")
    return said


def _value(field: Field, said: str, visit: Visit) -> Any:
    if field.kind == "check":
        return bool(said)
    if field.required:
        _needed(field, said)
    read = READERS.get(field.kind)
    if not said or read is None:
        return said or None
    return read(field.name, said, visit)


def _list(_: str, said: str, __: Visit) -> list[str]:
    return said.replace(",", " ").split()


def _names(_: str, said: str, __: Visit) -> list[str]:
    return [one.strip() for one in said.split(",") if one.strip()]


def _watts(name: str, said: str, _: Visit) -> int:
    number = said.rstrip("kKmMwW ")
    unit = said[len(number) :].strip()
    if unit and unit not in ("W", "kW", "MW"):
        raise BadField(f"{name}: {unit[:10]} is none of W, kW, MW")
    return round(_number(name, number) * UNITS[unit.lower() or "w"])


def _days(name: str, said: str, _: Visit) -> int:
    return round(_number(name, said) * DAY_S)


def _time(name: str, said: str, visit: Visit) -> int:
    """A time as people type it, in the utility's zone."""
    zone = visit.state.settings.utility.zone
    try:
        return typed_times.read(said, visit.now, ZoneInfo(zone) if zone else UTC)
    except BadValue as wrong:
        raise BadField(f"{name}: {wrong}") from None


def _json(name: str, said: str, _: Visit) -> Any:
    try:
        return msgspec.json.decode(said)
    except msgspec.DecodeError as wrong:
        raise BadField(f"{name}: is no JSON ({wrong})") from None


def _yes_or_no(_: str, said: str, __: Visit) -> Any:
    return {"yes": True, "no": False}.get(said, said)


READERS: Mapping[str, Callable[[str, str, Visit], Any]] = {
    "list": _list,
    "names": _names,
    "power": _watts,
    "days": _days,
    "time": _time,
    "json": _json,
    "choice": _yes_or_no,
}
"""How what was typed into a field of a kind is read; other kinds are taken as they are."""


def _number(name: str, said: str) -> float:
    try:
        found = float(said)
    except ValueError:
        raise BadField(f"{name}: {said[:40]} is not a number") from None
    if not 0 <= found <= LARGEST:
        raise BadField(f"{name}: {said[:40]} is less than 0 or far too much")
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value[:MOST_SHOWN]) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(one)}" for key, one in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
