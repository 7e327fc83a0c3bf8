"""`sep2 shift`: standing, log, note, handover, take."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.units import shown_time
from sep2.cli.verb import verb

shift = typer.Typer(no_args_is_help=True, help="The shift log: what stands, notes, and the handover to the next shift.")
Words = Annotated[str, typer.Option("--note", help="In your own words.")]


def _rows(found: t.ShiftStanding) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (
            one.kind,
            str(one.id),
            f"{one.scope} {one.subject}: {one.reason} {one.note}",
            shown_time(one.end),
            one.holder,
        )
        for one in found.overrides
    ]
    rows += [
        ("request", str(one.id), f"{one.verb}: {one.why}", shown_time(one.expires), one.asker)
        for one in found.approvals
    ]
    rows += [
        (
            "to be reviewed",
            str(one.id),
            f"{one.scope} {one.subject}: {one.reason}",
            shown_time(one.review_by),
            one.operator,
        )
        for one in found.unreviewed
    ]
    rows += [
        ("shelved alarm", str(one.id), f"{one.code} {one.name or one.subject}: {one.shelved_because}",
         shown_time(one.shelved_until), one.shelved_by)
        for one in found.shelved
    ]  # fmt: skip
    rows += [
        (
            f"alarm, priority {one.priority}",
            str(one.id),
            f"{one.code} {one.name or one.subject}",
            "",
            one.acknowledged_by,
        )
        for one in found.alarms
    ]
    return rows


@verb(shift, "standing")
def show_standing() -> None:
    """What whoever takes over has to know: overrides, requests, shelved alarms, and alarms of priority 1 and 2."""
    found = api().get("/shift/standing", t.ShiftStanding)
    said = f"{counted(len(found.overrides), 'override')} held, {counted(len(found.shelved), 'alarm')} shelved."
    show(found, said, columns=("what", "ID", "of", "until", "by"), rows=_rows(found))


@verb(shift, "log")
def list_log(*, limit: Limit = 20) -> None:
    """Notes and handovers, the newest first."""
    found = api().get("/shift/log", t.Listed[t.ShiftEntry], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "entry"),
        columns=("ID", "at", "what", "by", "note", "taken over"),
        rows=((str(one.id), shown_time(one.at), one.kind, one.operator, one.note, one.taken_by) for one in found.items),
    )


@verb(shift, "note", changes=True)
def add_note(note: Annotated[str, typer.Argument(help="In your own words.")]) -> None:
    """Write something into the log.

    [bold]sep2 shift note "crew at T7 until 17:00"[/]
    """
    done = api().change("POST", "/shift/notes", t.ShiftEntry, t.NewNote(note=note))
    show(done, f"Noted as entry {done.id}.")


@verb(shift, "handover", changes=True)
def hand_over(*, note: Words = "") -> None:
    """Hand over all that stands to the next shift; it is kept as it is now.

    [bold]sep2 shift standing[/]  and  [bold]sep2 shift handover --note "watch FD7"[/]
    """
    done = api().change("POST", "/shift/handovers", t.ShiftEntry, t.Handover(note=note))
    show(done, f"Handed over as entry {done.id}; whoever comes: sep2 shift take {done.id}")


@verb(shift, "take", changes=True)
def take_over(
    number: Annotated[str, typer.Argument(metavar="ID", help="The entry's number, or `latest`.")] = "latest",
) -> None:
    """Take over what somebody else handed over: the overrides that they held are yours to release from now on.

    [bold]sep2 shift take[/]
    """
    done = api().change("POST", at("shift", "handovers", number, "take"), t.ShiftEntry)
    show(done, f"You have taken over from {done.operator}; `sep2 shift standing` shows what stands.")
