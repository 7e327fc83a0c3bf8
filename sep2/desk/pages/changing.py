"""Forms of the register: what a change would answer is shown before it is sent; the address is the form."""

import hashlib
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta

from sep2.admin import types as t
from sep2.desk.door import Visit, route_of
from sep2.desk.forms import FORMS, Field, Form
from sep2.errors import BadValue, NotFound, SepError
from sep2.rest.types import Asked

DAY_S = 86_400
LARGEST = 1e15
UNITS = {"w": 1, "kw": 1000, "mw": 1_000_000}
MOST_SHOWN = 30
_VOLATILE = ("created", "lfdi", "sfdi", "pin", "registered", "changed", "until", "known_by", "id", "message")


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
    asked = msgspec.convert(
        {name: value for name, value in visit.query.items() if name in ("form", "of", "filled")},
        FormQuery,
        strict=False,
    )
    form = FORMS.get(asked.form)
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
    }
    return found | (await _tried(visit, form, asked.of, said) if asked.filled else {})


async def _tried(visit: Visit, form: Form, of: str, said: dict[str, str]) -> dict[str, Any]:
    route = route_of(form.handler)
    if form.of and not of.strip():
        return {"refused": f"{form.of}: is not filled in"}
    try:
        body = body_of(form, said)
        answer = await visit.try_out(form.handler, body, **({form.of: of} if form.of else {}))
    except (msgspec.ValidationError, SepError) as refusal:
        return {"refused": str(refusal)}
    plain = msgspec.to_builtins(answer, str_keys=True)
    steady = {name: value for name, value in plain.items() if name not in _VOLATILE}
    name = str(plain.get("name") or plain.get("connection_id") or of)
    then = form.then.replace("{of}", quote(of, safe="")).replace("{name}", quote(name, safe=""))
    return {
        "answer": [(key.replace("_", " "), _text(value)) for key, value in plain.items()][:MOST_SHOWN],
        "body": msgspec.json.encode(body).decode(),
        "digest": hashlib.sha256(msgspec.json.encode(steady, order="deterministic")).hexdigest()[:12],
        "method": route.method,
        "path": route.path.replace("{" + form.of + "}", quote(of, safe="")) if form.of else route.path,
        "then": then,
    }


def body_of(form: Form, said: dict[str, str]) -> Any:
    """The body of the operation from what was typed; an empty field says nothing."""
    found = {}
    for field in form.fields:
        value = _value(field, said[field.name].strip())
        if value is not None:
            found[field.name] = value
    return msgspec.convert(found, form.body) if form.fields else t.Nothing()


def _value(field: Field, said: str) -> Any:
    if field.kind == "check":
        return bool(said)
    if not said:
        if field.required:
            raise BadField(f"{field.name}: is not filled in")
        return None
    if field.kind == "list":
        return said.replace(",", " ").split()
    if field.kind == "power":
        return _watts(field.name, said)
    if field.kind == "days":
        return round(_number(field.name, said) * DAY_S)
    return said


def _watts(name: str, said: str) -> int:
    number = said.rstrip("kKmMwW ")
    unit = said[len(number) :].strip()
    if unit and unit not in ("W", "kW", "MW"):
        raise BadField(f"{name}: {unit[:10]} is none of W, kW, MW")
    return round(_number(name, number) * UNITS[unit.lower() or "w"])


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
