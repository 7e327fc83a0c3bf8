"""How a command is declared: its function, and the options that every command has."""

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import typer

from sep2.cli.selection import OPTIONS, Selection
from sep2.terminal import say

Function = TypeVar("Function", bound=Callable[..., None])

Folder = Annotated[
    Path, typer.Option("--dir", envvar="SEP2_DIR", help="The server's folder, as made by `sep2 init`.", metavar="DIR")
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]


class Given(NamedTuple):
    """What was given with the options that every command has."""

    folder: Path = Path()
    as_json: bool = False
    dry_run: bool = False


NOTHING_GIVEN = Given()
given: ContextVar[Given] = ContextVar("given", default=NOTHING_GIVEN)


def verb(
    app: typer.Typer,
    name: str,
    *,
    changes: bool = False,
    before: tuple[str, ...] = (),
    hidden: bool = False,
    epilog: str | None = None,
) -> Callable[[Function], Function]:
    """Make a function the command `name`, with --dir and --json; with --dry-run too if it changes something.

    hidden: whether help leaves it out. epilog: what help says at its end. before: what the command was called in
    earlier releases; those names still work, and say the new one.
    """

    def declare(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        chosen = next((name for name, kind in hints.items() if kind is Selection), None)

        @wraps(function)
        def run(*args: Any, folder: Path, as_json: bool, dry_run: bool = False, **named: Any) -> None:
            given.set(Given(folder, as_json, dry_run))
            if chosen is not None:
                named[chosen] = Selection(**{name: named.pop(name) for name in OPTIONS})
            function(*args, **named)

        common: dict[str, Any] = {"folder": Folder, "as_json": Json} | ({"dry_run": DryRun} if changes else {})
        defaults = {"folder": Path(), "as_json": False, "dry_run": False}
        own = [part for one in inspect.signature(function).parameters.values() for part in _options(one, chosen)]
        more = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=defaults[option], annotation=kind)
            for option, kind in common.items()
        ]
        run.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        shown = {name: kind for name, kind in hints.items() if name != chosen}
        run.__annotations__ = {**shown, **(OPTIONS if chosen is not None else {}), **common}
        app.command(name, hidden=hidden, epilog=epilog)(run)
        for old in before:
            app.command(old, hidden=True)(_renamed(run, old, name))
        return function

    return declare


def _options(one: inspect.Parameter, chosen: str | None) -> list[inspect.Parameter]:
    """A parameter, or the options that it stands for."""
    if one.name != chosen:
        return [one]
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]


def renamed(old: str, new: str) -> Callable[[], None]:
    """What a noun does under its earlier name, before its command: it says the new one."""
    return lambda: say(f"`{old}` is called `{new}` now", err=True)


def _renamed(run: Callable[..., None], old: str, new: str) -> Callable[..., None]:
    """The same command under its earlier name."""

    @wraps(run)
    def say_so(*args: Any, **named: Any) -> None:
        say(f"`{old}` is called `{new}` now", err=True)
        run(*args, **named)

    say_so.__signature__ = inspect.signature(run)  # type: ignore[attr-defined]
    return say_so
