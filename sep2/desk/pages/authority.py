"""The last resort and second persons: backstops with their rehearsal, requests and drafts, how far an override came."""

from typing import Any

import msgspec

from sep2.admin import approvals, backstops, overrides
from sep2.admin import types as t
from sep2.desk.door import Visit
from sep2.desk.pages.sheets import Field, body_of, seconds_of
from sep2.errors import Forbidden, SepError
from sep2.rest.types import Asked
from sep2.rules.authority import REASONS

PAGE = 100
KINDS = ("export", "generation", "load")


class ApprovalsQuery(Asked, frozen=True, kw_only=True):
    """Where the list goes on, and whether those that are decided on are shown too."""

    after: str | None = None
    every: bool = False


class Number(Asked, frozen=True, kw_only=True):
    """Which one."""

    id: Field


class BackstopForm(Asked, frozen=True, kw_only=True):
    """A backstop, or its rehearsal, as it is typed."""

    what: Field = "test"
    place: Field = ""
    kind: Field = "export"
    share: Field = "10"
    minutes: Field = ""
    reason: Field = ""
    note: Field = ""


async def show_approvals(visit: Visit, asked: ApprovalsQuery) -> dict[str, Any]:
    """Requests that wait, and drafts."""
    query = t.ApprovalQuery(limit=PAGE, after=asked.after, every=asked.every)
    return {
        "found": await visit.ask(approvals.list_approvals, query),
        "every": asked.every,
        "may": visit.may(approvals.approve_change),
        "needs": visit.needs(approvals.approve_change),
    }


async def show_approval(visit: Visit, asked: Number) -> dict[str, Any]:
    """One request: what it would do now, or what its asker saw; and what the visitor may do about it."""
    shown: t.ApprovalShown = await visit.ask(approvals.show_approval, approval=asked.id)
    is_mine = shown.asker.casefold() == visit.caller.name.casefold()
    found: dict[str, Any] = {
        "shown": shown,
        "is_mine": is_mine,
        "is_open": shown.state in ("draft", "waiting"),
        "may": visit.may(approvals.approve_change),
        "needs": visit.needs(approvals.approve_change),
        "sheet": _sheet(bytes(shown.sheet)),
        "sentences": t.sentences_of(bytes(shown.sheet)),
        "is_fresh": False,
        "refused": "",
        "body": body_of(t.Agree()),
    }
    if not found["is_open"] or not found["may"]:
        return found
    handler = approvals.send_draft if shown.state == "draft" else approvals.approve_change
    try:
        done: t.Agreed = await visit.try_out(handler, t.Agree(), approval=asked.id)
    except Forbidden:
        return found
    except SepError as refusal:
        return found | {"refused": str(refusal)}
    said = bytes(done.answer)
    fresh = {"sheet": _sheet(said), "sentences": t.sentences_of(said)}
    return found | fresh | {"is_fresh": True, "body": body_of(t.Agree(digest=done.digest))}


def _sheet(said: bytes) -> t.OverrideSent | None:
    """What an override does, where that is what was asked for."""
    try:
        return msgspec.json.decode(said, type=t.OverrideSent)
    except msgspec.ValidationError:
        return None


async def show_backstop(visit: Visit, asked: BackstopForm) -> dict[str, Any]:
    """The backstops, and what starting or rehearsing one would do."""
    found: dict[str, Any] = {
        "backstops": await visit.ask(backstops.list_backstops),
        "form": asked,
        "kinds": KINDS,
        "reasons": REASONS,
        "sheet": None,
        "refused": "",
        "body": "",
        "path": "/backstops/start" if asked.what == "start" else "/backstops/test",
        "may": visit.may(backstops.start_backstop),
        "may_prepare": visit.may(backstops.prepare_backstop),
        "needs": visit.needs(backstops.start_backstop),
        "needs_to_prepare": visit.needs(backstops.prepare_backstop),
    }
    if not asked.minutes or not found["may"]:
        return found
    try:
        new, sheet = await _try(visit, asked)
    except (SepError, msgspec.ValidationError, ValueError) as refusal:
        return found | {"refused": str(refusal)}
    return found | {"sheet": sheet, "body": body_of(msgspec.structs.replace(new, digest=sheet.digest))}


async def _try(visit: Visit, asked: BackstopForm) -> tuple[Any, t.OverrideSent]:
    said: dict[str, Any] = {"place": asked.place or None, "kind": asked.kind, "note": asked.note}
    said["duration"] = seconds_of(asked.minutes)
    if asked.what == "start":
        new: Any = msgspec.convert(said | {"reason": asked.reason}, t.NewBackstop)
        return new, await visit.try_out(backstops.start_backstop, new)
    new = msgspec.convert(said | {"share": asked.share}, t.NewDrill, strict=False)
    return new, await visit.try_out(backstops.rehearse_backstop, new)


async def show_progress(visit: Visit, asked: Number) -> dict[str, Any]:
    """How far an override has come, by its devices' answers."""
    shown: t.OverrideShown = await visit.ask(overrides.show_override, override=asked.id)
    return {
        "shown": shown,
        "progress": await visit.ask(overrides.show_progress, override=asked.id),
        "may": visit.may(overrides.release_override),
        "needs": visit.needs(overrides.release_override),
        "is_mine": shown.operator.casefold() == visit.caller.name.casefold(),
    }
