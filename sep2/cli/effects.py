"""What an override does, or would do, in words: whom it covers, power now and then, who knows by when, how it ends."""

from collections.abc import Sequence

from sep2.admin import types as t
from sep2.cli.limits import LIMIT_COLUMNS, limit_cells
from sep2.cli.show import counted, show
from sep2.cli.units import shown_power, shown_time
from sep2.cli.verb import given
from sep2.terminal import Lines, shown

COLUMNS = ("place", *LIMIT_COLUMNS, "from", "until", "instead of", "then")
NOUN = {"override": "Override", "loosening": "Loosening override", "backstop": "Backstop", "drill": "Drill"}
MOST_NAMED = 10


def show_effect(done: t.OverrideSent) -> None:
    """Print an override that was sent, or would be."""
    show(done, said(done), columns=COLUMNS, rows=_parts(done))


def _parts(done: t.OverrideSent) -> list[tuple[str, ...]]:
    """One line for each part of each place."""
    return [
        (
            place.place,
            *limit_cells(part.limits),
            shown_time(part.start),
            shown_time(part.end),
            ", ".join(part.replaces),
            place.after,
        )
        for place in done.places
        for part in place.parts
    ]


def said(done: t.OverrideSent) -> str:
    """An override in words: whom it covers, what it replaces, until when, what holds then, who knows by when."""
    covers = f"{counted(done.connections, 'connection')}, {counted(done.devices, 'device')}"
    lines = [
        f"{NOUN[done.kind]} {done.id} covers {covers} until {shown_time(done.end)}, in place of "
        f"{_sources(done.replaces)}.",
        *(_power(one) for one in done.effects),
        f"After it: {_sources(done.after)}"
        + (f", gone over to by {shown_time(done.until)}." if done.until > done.end else "."),
    ]
    polling = done.told_by_polling
    told = [f"{counted(done.told_at_once, 'device')} notified at once"] if done.told_at_once else []
    late = ", some of them perhaps only after its end" if done.known_by >= done.end else ""
    told += [f"{counted(polling, 'device')} at the next poll, by {shown_time(done.known_by)}{late}"] if polling else []
    lines += [f"Told: {', '.join(told)}."] if told else []
    lines += _untold(done.untold)
    lines += _notes(done.notes, done.noted)
    lines += _protected(done)
    lines += [
        f"{name} keeps {shown_power(watts)}: a rule guarantees it to controllable loads."
        for name, watts in list(done.floors.items())[:MOST_NAMED]
    ]
    lines += [done.warning] if done.warning else []
    lines += [f"Somebody else has to look at it afterwards: {done.review}."] if done.review else []
    if given.get().dry_run and done.needs_second:
        lines.append(f"It would wait for a second person: {done.needs_second}.")
    if given.get().dry_run:
        lines.append(f"To send exactly this: --digest {done.digest}")
    return Lines("\n".join(shown(line, 4000) for line in [*lines, f"To withdraw it: {done.undo}"]))


def _untold(found: Sequence[t.Untold]) -> list[str]:
    """Who can not be told, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for one in found:
        by_reason.setdefault(one.why, []).append(one.connection_id or one.lfdi)
    return [f"Not told: {_named(names)}: {why}." for why, names in by_reason.items()]


def _notes(found: Sequence[t.Note], every: int) -> list[str]:
    """Who is sent it and does not hold it as it is meant, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for one in found:
        by_reason.setdefault(one.sentence, []).append(one.connection_id or one.lfdi)
    lines = [f"Sent, but: {_named(names)}: {sentence}." for sentence, names in by_reason.items()]
    return lines + ([f"{every - len(found)} more notes like these."] if every > len(found) else [])


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more (--json shows all)" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _power(one: t.Effect) -> str:
    if not one.measured:
        measured, then = "measured nowhere", ""
    else:
        measured = f"measured at {one.measured} of {one.connections}: {shown_power(one.measured_now_w)}"
        then = f", then at most {shown_power(one.measured_then_w)}"
    known = f"{shown_power(one.reach_now_w)} there, at most {shown_power(one.reach_then_w)} then"
    if one.unrated:
        unknown = f"what is at {one.unrated} of {one.connections} is unknown"
        known = unknown if one.unrated == one.connections else f"{known}, and {unknown}"
    untold = f"; {one.untold} of {one.connections} can not be told and go on as they are" if one.untold else ""
    return f"{one.direction.capitalize()}: {known}; {measured}{then}{untold}."


def _protected(done: t.OverrideSent) -> list[str]:
    names = [f"{one.connection_id} ({one.protected.replace('_', ' ')})" for one in done.left_out]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    said = [f"Left out, because protected: {', '.join(names[:MOST_NAMED])}{more}."] if names else []
    return said + ([f"Covered although protected: {', '.join(done.named[:MOST_NAMED])}."] if done.named else [])


def _sources(found: dict[str, int]) -> str:
    return ", ".join(f"{name} ({number})" if number > 1 else name for name, number in found.items()) or "nothing"


def shown_progress(found: t.Progress) -> str:
    """How far an override has come, in words."""
    lines = [
        f"{NOUN[found.kind]} {found.id} is {found.state}: {found.received} of {counted(found.devices, 'device')} "
        f"received it, {found.started} started, {found.refused} refused, {found.unanswered} said nothing.",
        f"It can hold back {shown_power(found.reach_w)} by rating; "
        + ", ".join(f"{shown_power(watts)} after {name} min" for name, watts in found.reached_w.items())
        + f"; not answered for: {shown_power(found.unanswered_w)}.",
    ]
    if found.effect_p50_s is not None:
        lines.append(f"Time to effect: half within {found.effect_p50_s} s, 95 % within {found.effect_p95_s} s.")
    if found.goal is not None:
        lines.append(f"Of what can be reached, {100 * found.goal:.1f} % was held back within 15 min.")
    if found.silent:
        more = "" if found.unanswered <= len(found.silent) else f" and {found.unanswered - len(found.silent)} more"
        lines.append(f"Silent: {', '.join(found.silent[:MOST_NAMED])}{more}.")
    return Lines("\n".join(shown(line, 4000) for line in lines))
