"""`sep2 backstop`: show, prepare, test, start, end."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.effects import show_effect, shown_progress
from sep2.cli.overrides import Digest, Draft, Number
from sep2.cli.show import counted, show
from sep2.cli.times import resolved
from sep2.cli.units import When, shown_span, shown_time, span, when
from sep2.cli.verb import verb
from sep2.rules.authority import REASONS

backstop = typer.Typer(
    no_args_is_help=True,
    help="The last resort: no export, no generation or the least load, of the system or of a substation.",
)
Substation = Annotated[
    str | None, typer.Option("--place", "--substation", metavar="PLACE", help="A substation; without, the system.")
]
What = Annotated[t.BackstopKind, typer.Option("--kind", help="export, generation or load: what goes to its least.")]
SPREAD = typer.Option(parser=span, metavar="SPAN", show_default="10m", help="Let devices go over so long; 0s: at once.")


@verb(backstop, "show")
def show_backstops() -> None:
    """The backstop of the system and of substations: whether it is prepared, under way, and when it was rehearsed."""
    found = api().get("/backstops", list[t.Backstop])
    rows = [
        (
            one.subject or "the system",
            "yes" if one.prepared else "no",
            str(one.devices),
            ", ".join(map(str, one.running)) or "no",
            shown_time(one.last_drill) or "never",
        )
        for one in found
    ]
    running = [number for one in found for number in one.running]
    said = f"{counted(len(running), 'backstop')} under way: sep2 backstop end {running[0]}" if running else ""
    ready = "It is prepared." if found[0].prepared else "Prepare it: sep2 backstop prepare"
    show(found, said or ready, columns=("of", "prepared", "devices", "under way", "rehearsed"), rows=rows)


@verb(backstop, "prepare", changes=True)
def prepare_backstop(*, place: Substation = None) -> None:
    """Have the program of a backstop stand in what every device follows, so that one control reaches them all.

    [bold]sep2 backstop prepare[/]  and  [bold]sep2 backstop prepare --substation North[/]
    """
    done = api().change("POST", "/backstops/prepare", t.BackstopPrepared, t.BackstopSubject(place=place))
    known = f"; who polls finds it by {shown_time(done.known_by)}" if done.is_new else " already"
    show(done, f"The backstop of {done.subject} stands for {counted(done.devices, 'device')}{known}.")


@verb(backstop, "test", changes=True)
def rehearse_backstop(
    *,
    place: Substation = None,
    kind: What = "export",
    share: Annotated[int, typer.Option(min=1, max=100, help="Of the places, percent.")] = 10,
    duration: Annotated[int, typer.Option("--for", parser=span, metavar="SPAN", help="At most 10m.")] = "10m",  # type: ignore[assignment]  # parsed like what is typed
    note: Annotated[str, typer.Option(help="In your own words, for the record.")] = "",
    digest: Digest = "",
    draft: Draft = False,
) -> None:
    """Rehearse a backstop with a share of the places, for ten minutes at most; `backstop report` says what came of it.

    [bold]sep2 backstop test --share 10 --for 10m[/]
    """
    body = t.NewDrill(place=place, kind=kind, share=share, duration=duration, note=note, digest=digest)
    show_effect(api().change("POST", "/backstops/test", t.OverrideSent, body, draft=draft))


@verb(backstop, "start", changes=True)
def start_backstop(
    *,
    place: Substation = None,
    kind: What,
    reason: Annotated[str, typer.Option(metavar="REASON", help=f"One of {', '.join(REASONS)}.")],
    note: Annotated[str, typer.Option(help="In your own words, for the record.")] = "",
    duration: Annotated[
        int | None, typer.Option("--for", parser=span, metavar="SPAN", help="10m, 1h30m; this or --until.")
    ] = None,
    until: Annotated[When | None, typer.Option(parser=when, metavar="TIME", help="+2h, 19:00, tomorrow 6:30")] = None,
    also: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A protected connection that a load backstop covers too.")
    ] = None,
    digest: Digest = "",
    draft: Draft = False,
) -> None:
    """Stop export or generation, or bring load to its least; a second person agrees, or looks at it afterwards.

    [bold]sep2 backstop start --kind export --for 1h --reason emergency --dry-run[/]

    [bold]sep2 backstop start --substation North --kind generation --for 30m --reason islanding[/]
    """
    if (duration is None) == (until is None):
        raise typer.BadParameter("a backstop has an end: give one of --for SPAN and --until TIME")
    server = api()
    body = t.NewBackstop(
        place=place,
        kind=kind,
        reason=reason,
        note=note,
        duration=duration,
        end=None if until is None else resolved(server, until),
        also=also or [],
        digest=digest,
    )
    show_effect(server.change("POST", "/backstops/start", t.OverrideSent, body, draft=draft))


@verb(backstop, "end", changes=True)
def end_backstop(
    number: Annotated[str, typer.Argument(metavar="ID", help="Its number; without, the one that is under way.")] = "",
    *,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    spread: Annotated[int | None, SPREAD] = None,
    draft: Draft = False,
) -> None:
    """End a backstop before its time; what was below holds again, spread over ten minutes.

    [bold]sep2 backstop end[/]
    """
    server = api()
    if not number:
        running = [one for found in server.get("/backstops", list[t.Backstop]) for one in found.running]
        if len(running) != 1:
            raise typer.BadParameter(f"{counted(len(running), 'backstop')} under way; `sep2 backstop show` lists them")
        number = str(running[0])
    body = t.Release(reason=reason, spread=spread)
    done = server.change("POST", at("overrides", number, "release"), t.OverrideReleased, body, draft=draft)
    over = shown_span(max(0, done.until - (done.released or done.until)))
    show(done, f"The backstop {done.id} is ended; what was below holds again, spread over {over}.")


@verb(backstop, "report")
def report_backstop(number: Number = "latest") -> None:
    """What a backstop or a drill reached: power held back after 1, 5 and 15 minutes, time to effect, who was silent."""
    found = api().get(at("overrides", number, "progress"), t.Progress)
    show(found, shown_progress(found))
