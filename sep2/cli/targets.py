"""Whom a command is for, as people say it: `transformer T7`, `aggregator Sunny`, `connection NMI1`, `system`."""

from typing import Annotated

import typer

from sep2.rules.territory import KINDS

WORDS = {"client": "aggregator", "gateway": "aggregator", "nmi": "connection"} | {
    word: word for word in ("connection", "device", "group", "place", "aggregator", "aggregation", *KINDS)
}
"""What may be written before a name, and the scope that it means."""
CALLED = {"aggregator": "client"}
"""What the option of a scope is called, where it is not called after it."""

Target = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KIND NAME]",
        help="Whom it is for: connection NMI1, feeder FD7, aggregator Sunny, aggregation VPP1, system; or an option.",
    ),
]


def target_of(said: list[str] | None, options: dict[str, str | None], *, system: bool) -> tuple[str, str]:
    """The scope and the subject; options: those that were given by an option, by scope."""
    found = [(scope, name) for scope, name in options.items() if name is not None]
    found += [("system", "")] if system else []
    if said:
        found.append(_read(said))
    if len(found) != 1:
        ways = ", ".join(["KIND NAME", *(f"--{CALLED.get(scope, scope)}" for scope in options)])
        raise typer.BadParameter(f"give one of {ways} and --system")
    return found[0]


def _read(said: list[str]) -> tuple[str, str]:
    kind, *name = " ".join(said).split(" ", 1)
    scope = WORDS.get(kind.lower())
    if scope is None:
        raise typer.BadParameter(f"{kind[:40]!r} is none of {', '.join(sorted(WORDS))}; write KIND NAME")
    if not name and scope != "system":
        raise typer.BadParameter(f"which {kind}? write {kind} NAME")
    return scope, name[0] if name else ""
