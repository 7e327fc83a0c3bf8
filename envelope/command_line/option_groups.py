"""Commands whose options come from dataclasses that several of them share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

import typer

from envelope.command_line import examples
from envelope.command_line.command_frame import refusals

Command = Callable[..., None]


def command(app: typer.Typer, name: str, epilog: str = "") -> Callable[[Command], Command]:
    """Register a function as the command `name`; parameters that are dataclasses of options become options each.

    Such as `f(feeder, ..., *, options: StudyOptions)`. epilog: default, the examples of that name.
    """

    def declare(function: Command) -> Command:
        hints = get_type_hints(function, include_extras=True)
        groups = {key: kind for key, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}
        single = [p for p in inspect.signature(function).parameters.values() if p.name not in groups]
        own = [p.replace(annotation=hints[p.name]) for p in single]
        for kind in groups.values():
            of_kind = get_type_hints(kind, include_extras=True)
            own += [
                inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=of_kind[f.name])
                for f in fields(kind)
            ]

        @wraps(function)
        def run(*args: Any, **named: Any) -> None:
            with refusals(named.get("as_json", False)):
                given = {key: _taken(named, kind) for key, kind in groups.items()}
                function(*args, **named, **given)

        run.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in own} | {"return": None}
        app.command(name, epilog=epilog or examples.OF_COMMAND[name])(run)
        return function

    return declare


def _taken(named: dict[str, Any], kind: type[Any]) -> Any:
    """A dataclass of options, whose fields are taken out of the named ones."""
    return kind(**{field.name: named.pop(field.name) for field in fields(kind)})
