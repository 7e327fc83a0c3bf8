"""`sep2 restore`: after a copy of the database was put back."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.units import shown_time
from sep2.cli.verb import verb

restore = typer.Typer(no_args_is_help=True, help="After a copy of the database was put back: what it lacks.")


@verb(restore, "show")
def show_restore() -> None:
    """Whether a copy was put back, and whether clients are told of controls.

    A server notices by itself that its database has come less far than it had; on another machine, where it can not,
    say so: `sep2 restore begin`.
    """
    found = api().get("/restore", t.Restore)
    if found.since is None:
        show(found, "No copy of the database was put back.")
        return
    show(found, f"{_of(found)} {counted(found.lost, 'answer')} of devices to lost controls.{_then(found)}")


def _of(found: t.Restore) -> str:
    until = "an unknown time" if found.copied is None else shown_time(found.copied)
    return f"A copy of the database that reaches to {until} was put back; noticed {shown_time(found.since or 0)}."


def _then(found: t.Restore) -> str:
    if not found.holds:
        return " Clients are told of controls."
    return (
        " Clients are told nothing of controls, and keep what they have: enter again what was issued since, overrides "
        "first (`sep2 restore lost` shows what devices hold), then `sep2 restore finish`."
    )


@verb(restore, "lost")
def list_lost(*, limit: Limit = 50) -> None:
    """Controls that devices have answered to and that this database does not know, the first heard of first."""
    found = api().get("/restore/lost", t.Listed[t.LostControl], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "lost control"),
        columns=("mRID", "device", "LFDI", "last answer", "heard"),
        rows=((one.mrid, one.device, one.lfdi, str(one.status), shown_time(one.last_heard)) for one in found.items),
    )


@verb(restore, "begin", changes=True)
def begin_restore() -> None:
    """Say that a copy was put back: clients are told nothing of controls until `sep2 restore finish`.

    [bold]sep2 restore begin[/]  where the server did not notice by itself
    """
    done = api().change("POST", "/restore/begin", t.Restore)
    show(done, _of(done) + _then(done))


@verb(restore, "finish", changes=True)
def finish_restore(
    *,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where devices hold controls that this database does not know.")
    ] = False,
) -> None:
    """What was lost is entered again: clients are told of controls from now on.

    [bold]sep2 restore lost[/]  then  [bold]sep2 override send[/]  and  [bold]sep2 restore finish[/]
    """
    done = api().change("POST", "/restore/finish", t.Restore, t.FinishRestore(anyway=anyway))
    show(done, "Clients are told of controls again.")
