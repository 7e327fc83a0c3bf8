"""`sep2 place`: the network as a tree, from the system down to transformers."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.identities import BadChoice
from sep2.cli.show import Limit, counted, listed, sentence, show
from sep2.cli.verb import verb
from sep2.rules.cim import NOUNS
from sep2.rules.territory import KINDS

place = typer.Typer(no_args_is_help=True, help="Places: the network as a tree, from the system down to transformers.")
Named = Annotated[str, typer.Argument(metavar="PLACE", help="Its name.")]


@verb(place, "add", changes=True)
def add_place(
    name: Named,
    *,
    kind: Annotated[t.PlaceKind, typer.Option(help=f"One of {', '.join(KINDS)}.")],
    under: Annotated[str | None, typer.Option("--in", metavar="PLACE", help="The place that it lies below.")] = None,
    primacy: Annotated[
        int | None,
        typer.Option(min=0, max=255, help="Of its program; the lower wins.", show_default="narrower places count more"),
    ] = None,
    description: Annotated[str, typer.Option(help="What clients are shown; at most 32 characters.")] = "",
) -> None:
    """Add a place, with a group of its own that every device below it joins.

    [bold]sep2 place add FD7 --kind feeder[/]  and  [bold]sep2 place add T7 --kind transformer --in FD7[/]
    """
    body = t.NewNetworkPlace(name=name, kind=kind, parent=under, primacy=primacy, description=description)
    made = api().change("POST", "/places", t.NetworkPlace, body)
    where = f" in {made.parent}" if made.parent else ""
    next_one = f"next: sep2 connection move ID --to {made.name}"
    show(made, f"{made.kind.capitalize()} {made.name} is known{where}, with the group {made.group}; {next_one}")


@verb(place, "list")
def list_places(
    *,
    under: Annotated[str | None, typer.Option("--in", metavar="PLACE", help="Only those directly below it.")] = None,
    limit: Limit = 100,
) -> None:
    """Places by name."""
    found = api().get("/places", t.Listed[t.NetworkPlace], parent=under, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "place"),
        columns=("name", "kind", "in", "places", "connections", "devices below", "primacy"),
        rows=(
            (p.name, p.kind, p.parent or "", str(p.places), str(p.connections), str(p.devices), str(p.primacy))
            for p in found.items
        ),
    )


@verb(place, "cim")
def show_cim(
    name: Named,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help=f"One of {', '.join(NOUNS)}.")] = "groups",
) -> None:
    """Print what an ADMS is told of a place, as XML of IEC 61968-5: its devices, measured power, or limits ahead.

    [bold]sep2 place cim FD7 dispatches > fd7.xml[/]
    """
    if message not in NOUNS:
        raise BadChoice(f"MESSAGE: {message} is none of {', '.join(NOUNS)}")
    found = api().get(at("places", name, "cim", message), t.CimMessage)
    show(found, found.xml)


@verb(place, "show")
def show_place(name: Named) -> None:
    """One place, and what is directly below it."""
    server = api()
    found = server.get(at("places", name), t.NetworkPlace)
    below = server.get("/places", t.Listed[t.NetworkPlace], parent=found.name, limit=500)
    what = f"{counted(found.devices, 'device')} below it, {counted(found.connections, 'connection')} directly at it"
    show(
        found,
        f"{found.kind.capitalize()} {found.name} has {what}. To act on all: sep2 override send --place {found.name} …",
        columns=("below it", "kind", "devices below"),
        rows=((p.name, p.kind, str(p.devices)) for p in below.items),
    )


@verb(place, "move", changes=True)
def move_place(
    name: Named,
    *,
    to: Annotated[str | None, typer.Option("--to", help="The place that it lies below from now on.")] = None,
    top: Annotated[bool, typer.Option("--top", help="It lies below nothing.")] = False,
) -> None:
    """Move a place with all that is below it, at once; its devices are told once.

    [bold]sep2 place move T7 --to FD8 --dry-run[/]  says what would hold for its devices
    """
    if (to is None) != top:
        raise BadChoice("give one of --to PLACE and --top")
    done = api().change("PUT", at("places", name, "parent"), t.PlaceMoved, t.MovePlace(parent=to))
    show_moved(done, f"Place {name} lies {f'in {to}' if to else 'below nothing'}")


@verb(place, "rename", changes=True)
def rename_place(name: Named, new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]) -> None:
    """Call a place, and its group, otherwise."""
    done = api().change("POST", at("places", name, "rename"), t.NetworkPlace, t.Rename(name=new))
    show(done, f"Place {name} is called {done.name}, and its group {done.group}.")


@verb(place, "remove", changes=True)
def remove_place(
    name: Named, *, to: Annotated[str | None, typer.Option("--to", help="Where what lies below it goes.")] = None
) -> None:
    """Remove a place, and its group.

    [bold]sep2 place remove T7 --to FD7[/]
    """
    done = api().change("DELETE", at("places", name), t.Removed, t.RemovePlace(to=to))
    show(done, sentence(done.message))


def show_moved(done: t.PlaceMoved, said: str) -> None:
    """What a move changes for the first devices, and for how many in all."""
    show(
        done,
        f"{said}; {counted(done.devices, 'device')} {'has' if done.devices == 1 else 'have'} other programs, and "
        f"their clients are told once.",
        columns=("LFDI", "in force before", "in force after"),
        rows=(
            (one.lfdi, ", ".join(one.before) or "nothing", ", ".join(one.after) or "nothing") for one in done.changes
        ),
    )
