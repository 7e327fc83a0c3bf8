"""Effect sheets: what a change would do, shown before it is sent; the address is the form, so it can be handed on."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sep2.admin import controls, overrides
from sep2.admin import types as t
from sep2.admin.market import overrides as market_overrides
from sep2.admin.types import market_overrides as m
from sep2.desk.door import Visit
from sep2.errors import BadValue, SepError
from sep2.rest.types import Asked
from sep2.rules.authority import REASONS

UNITS = {"W": 1, "kW": 1000, "MW": 1_000_000}
LARGEST = 1e15
Field = Annotated[str, Meta(max_length=200)]
SCOPES = (
    *("connection", "device", "transformer", "segment", "feeder", "substation", "place", "group", "aggregator"),
    "system",
    "aggregation",
)
NOTICES = ("planned", "forecast", "emergency")
_TIMES = ("created", "start", "end", "until", "known_by", "id", "controls")


class BadNumber(BadValue):
    """A field of the form is not a number in its bounds."""


class LimitForm(Asked, frozen=True, kw_only=True):
    """Limits as they are typed; empty fields are not bounded."""

    subject: Field = ""
    export: Field = ""
    imported: Field = msgspec.field(default="", name="import")
    generation: Field = ""
    load: Field = ""
    unit: Field = "kW"
    minutes: Field = ""
    reason: Field = ""
    anyway: Field = ""

    @property
    def is_filled(self) -> bool:
        """Whether anything was asked for yet."""
        return bool(self.minutes or self.export or self.imported or self.generation or self.load)


class OverrideForm(LimitForm, frozen=True, kw_only=True):
    """An override as it is typed."""

    scope: Field = "connection"
    note: Field = ""
    also: Field = ""
    disconnect: Field = ""
    notice: Field = "forecast"
    binding: Field = ""
    fairness: Field = ""
    ahead: Field = ""
    release: Field = ""

    @property
    def is_filled(self) -> bool:
        """Whether anything was asked for yet."""
        return bool(self.minutes or self.export or self.imported or self.generation or self.load or self.disconnect)


class ReleaseForm(Asked, frozen=True, kw_only=True):
    """Which override is released, and why."""

    id: Field
    reason: Field = ""


async def show_override(visit: Visit, asked: OverrideForm) -> dict[str, Any]:
    """The form of an override and, where it is filled, what sending it would do."""
    of_market = asked.scope == "aggregation"
    found = await sheet_of(asked, lambda: (_try_market if of_market else _try_override)(visit, asked))
    path = "/market/overrides" if of_market else "/overrides"
    return found | {"reasons": REASONS, "scopes": SCOPES, "notices": NOTICES, "path": path}


async def _try_market(visit: Visit, asked: OverrideForm) -> tuple[Any, Any]:
    ahead_s = round(_number("ahead", asked.ahead) * 3600) if asked.ahead.strip() else 0
    new = m.NewMarketOverride(
        aggregation=asked.subject,
        notice=msgspec.convert(asked.notice, m.Notice),
        limits=_limits(asked),
        start=visit.now + ahead_s if ahead_s else None,
        duration=seconds_of(asked.minutes),
        modes={"opModConnect": False} if asked.disconnect else {},
        reason=asked.reason,
        note=asked.note,
        binding=asked.binding,
        fairness_note=asked.fairness,
        also=asked.also.replace(",", " ").split(),
    )
    sheet = await visit.try_out(market_overrides.send_market_override, new)
    return msgspec.structs.replace(new, digest=sheet.digest), sheet


async def _try_override(visit: Visit, asked: OverrideForm) -> tuple[Any, Any]:
    new = t.NewOverride(
        scope=msgspec.convert(asked.scope, t.Scope),
        subject=asked.subject,
        limits=_limits(asked),
        duration=seconds_of(asked.minutes),
        modes={"opModConnect": False} if asked.disconnect else {},
        reason=asked.reason,
        note=asked.note,
        anyway=bool(asked.anyway),
        release=bool(asked.release),
        also=asked.also.replace(",", " ").split(),
    )
    sheet = await visit.try_out(overrides.send_override, new)
    return msgspec.structs.replace(new, digest=sheet.digest), sheet


async def show_control(visit: Visit, asked: LimitForm) -> dict[str, Any]:
    """The form of a control for one connection and, where it is filled, what sending it would do."""
    return await sheet_of(asked, lambda: _try_control(visit, asked))


async def _try_control(visit: Visit, asked: LimitForm) -> tuple[Any, Any]:
    one = t.NewControl(duration=seconds_of(asked.minutes), limits=_limits(asked))
    new = t.NewControls(controls=[one], reason=asked.reason, anyway=bool(asked.anyway))
    return new, await visit.try_out(controls.send_to_connection, new, connection=asked.subject)


async def show_release(visit: Visit, asked: ReleaseForm) -> dict[str, Any]:
    """What releasing an override would do."""
    new = t.Release(reason=asked.reason)
    sheet = await visit.try_out(overrides.release_override, new, override=asked.id)
    shown: t.OverrideShown = await visit.ask(overrides.show_override, override=asked.id)
    return {"sheet": sheet, "shown": shown, "body": body_of(new), "digest": _digest(sheet), "reason": asked.reason}


async def sheet_of(asked: LimitForm, try_it: Callable[[], Awaitable[tuple[Any, Any]]]) -> dict[str, Any]:
    """A filled form's dry run, or the sentence with which it was refused."""
    found: dict[str, Any] = {
        "form": asked,
        "units": list(UNITS),
        "sheet": None,
        "refused": "",
        "body": "",
        "digest": "",
    }
    if not asked.is_filled:
        return found
    try:
        new, sheet = await try_it()
    except msgspec.ValidationError as wrong:
        return found | {"refused": str(wrong)}
    except SepError as refusal:
        return found | {"refused": str(refusal)}
    return found | {"sheet": sheet, "body": body_of(new), "digest": _digest(sheet)}


def _limits(asked: LimitForm) -> t.Limits:
    return t.Limits(
        import_w=_watts("import", asked.imported, asked.unit),
        export_w=_watts("export", asked.export, asked.unit),
        gen_w=_watts("generation", asked.generation, asked.unit),
        load_w=_watts("load", asked.load, asked.unit),
    )


def _watts(name: str, said: str, unit: str) -> int | None:
    if not said.strip():
        return None
    if unit not in UNITS:
        raise BadNumber(f"unit: {unit[:20]} is none of {', '.join(UNITS)}")
    return round(_number(name, said) * UNITS[unit])


def seconds_of(minutes: str) -> int:
    """Minutes that were typed, in seconds."""
    if not minutes.strip():
        raise BadNumber("minutes: say for how long it is to hold")
    return round(_number("minutes", minutes) * 60)


def _number(name: str, said: str) -> float:
    try:
        found = float(said)
    except ValueError:
        raise BadNumber(f"{name}: {said[:40]} is not a number") from None
    if not 0 <= found <= LARGEST:
        raise BadNumber(f"{name}: {said[:40]} is less than 0 or far too much")
    return found


def body_of(new: Any) -> str:
    """A request's body, for a button that sends it."""
    return msgspec.json.encode(new).decode()


def _digest(sheet: Any) -> str:
    """A digest of what a change would do, apart from the times that move by themselves."""
    values = {name: value for name, value in msgspec.to_builtins(sheet, str_keys=True).items() if name not in _TIMES}
    for place in values.get("places", ()):
        if isinstance(place, dict):
            place.pop("parts", None)
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()[:12]
