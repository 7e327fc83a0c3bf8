"""`sep2 mirror`: what devices have metered."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, listed, only, sentence, show
from sep2.cli.units import shown_span, shown_time, span
from sep2.cli.verb import verb
from sep2.rules.metering import ReadingSign

mirror = typer.Typer(no_args_is_help=True, help="Mirrors: what devices have metered, and how often they post.")
Named = Annotated[str, typer.Argument(metavar="MIRROR", help="Its id or name, or how its mRID begins.")]


@verb(mirror, "list")
def list_mirrors(
    device: Annotated[str | None, typer.Option(help="Only those of this device: the beginning of its LFDI.")] = None,
    limit: Limit = 50,
) -> None:
    """What devices have metered, the latest made first."""
    found = api().get("/mirrors", t.Listed[t.Mirror], device=device, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "mirror"),
        columns=("id", "name", "device", "client", "description", "series", "every", "sign", "latest"),
        rows=(
            (
                str(one.id),
                one.name or "",
                one.device,
                one.client,
                one.description,
                str(one.series),
                shown_span(one.post_rate) if one.post_rate else "",
                one.reading_sign,
                shown_time(one.latest) if one.latest else "nothing yet",
            )
            for one in found.items
        ),
    )


@verb(mirror, "show")
def show_mirror(name: Named) -> None:
    """One mirror: whose it is, how often its client posts, and what is known of its sign."""
    one = api().get(at("mirrors", name), t.Mirror)
    every = f", posted every {shown_span(one.post_rate)}" if one.post_rate else ""
    said = f"Mirror {one.id} of device {one.device} has {one.series} series{every}"
    show(
        one, f"{said}; its sign is {one.reading_sign}, its latest reading {shown_time(one.latest) or 'not there yet'}."
    )


@verb(mirror, "set", changes=True)
def set_mirror(
    name: Named,
    *,
    every: Annotated[
        int | None, typer.Option(parser=span, metavar="SPAN", help="How often it is to be posted.")
    ] = None,
    sign: Annotated[ReadingSign | None, typer.Option(help="What a comparison on site has shown.")] = None,
) -> None:
    """Change how often a mirror is posted, or say whether its power counts import forwards or the other way round.

    Compare what it posts with what the connection is known to do, such as a load that was just switched on. Until then
    its power is shown, but no alarm and no envelope rests on it; voltages have no sign and count at once.

    [bold]sep2 mirror set 7 --every 60s --sign as-posted[/]
    """
    body = t.MirrorChange(**only(post_rate=every, reading_sign=sign))
    done = api().change("PUT", at("mirrors", name), t.Mirror, body)
    pace = f" posted every {shown_span(done.post_rate)}, once its client has looked, and" if done.post_rate else ""
    show(done, f"Readings of mirror {done.id} are{pace} {done.reading_sign}.")


@verb(mirror, "rename", changes=True)
def rename_mirror(
    name: Named, new: Annotated[str, typer.Argument(metavar="NAME", help="What operators call it.")]
) -> None:
    """Give a mirror a name; its client is not told of that."""
    done = api().change("POST", at("mirrors", name, "rename"), t.Mirror, t.Rename(name=new))
    show(done, f"Mirror {done.id} is called {done.name}.")


@verb(mirror, "remove", changes=True)
def remove_mirror(
    name: Named,
    *,
    with_readings: Annotated[bool, typer.Option("--with-readings", help="Forget its readings too.")] = False,
) -> None:
    """Forget a mirror; its client may make it anew.

    [bold]sep2 mirror remove 7 --with-readings[/]
    """
    body = t.RemoveMirror(with_readings=with_readings)
    done = api().change("DELETE", at("mirrors", name), t.Removed, body)
    show(done, sentence(done.message))


@verb(mirror, "rate", changes=True, hidden=True)
def set_post_rate(
    number: Annotated[int, typer.Argument(metavar="ID", help="As `sep2 mirror list` shows it.")],
    every: Annotated[int, typer.Argument(parser=span, metavar="SPAN", help="e.g. 60s")],
) -> None:
    """Change how often a client is to post the readings of a mirror."""
    done = api().change("PUT", at("mirrors", str(number), "post-rate"), t.Done, t.NewRate(seconds=every))
    show(done, f"Readings of mirror {number} are posted every {shown_span(every)}, once its client has looked.")


@verb(mirror, "sign", changes=True, hidden=True)
def set_reading_sign(
    number: Annotated[int, typer.Argument(metavar="ID", help="As `sep2 mirror list` shows it.")],
    sign: Annotated[ReadingSign, typer.Argument(help="What a comparison on site has shown.")],
) -> None:
    """Say whether a mirror's power counts import forwards, as the standard has it, or the other way round.

    Compare what it posts with what the connection is known to do, such as a load that was just switched on. Until then
    its power is shown, but no alarm and no envelope rests on it; voltages have no sign and count at once.
    """
    done = api().change("PUT", at("mirrors", str(number), "reading-sign"), t.Done, t.NewReadingSign(reading_sign=sign))
    show(done, f"Readings of mirror {number} are {sign}.")
