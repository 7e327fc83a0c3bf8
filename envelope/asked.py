"""What every envelope command can be asked: the feeder, its customers' flexibility and the limits, as options."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from envelope.allocate import Allocation
from envelope.limits import OperatingLimits
from envelope.problem import Guarantee, Problem, Reference
from gridmodel.errors import GridError
from sep2.errors import SepError

Command = Callable[..., None]


@dataclass(frozen=True)
class Asked:
    """The options that all commands share."""

    steps: Annotated[int, typer.Option(help="Steps in the day.")] = 48
    export_kw: Annotated[float, typer.Option(help="Controllable generation per flexible connection.")] = 5.0
    import_kw: Annotated[float, typer.Option(help="Controllable load per flexible connection.")] = 7.0
    flexible: Annotated[float, typer.Option(help="Part of the connections that is flexible, 0 to 1.")] = 1.0
    seed: Annotated[int, typer.Option(help="Which connections are the flexible ones.")] = 1
    all_day: Annotated[bool, typer.Option("--all-day", help="Generation reaches its size at any hour.")] = False
    limits: Annotated[str, typer.Option(help="A voltage criterion, such as en-50160.")] = "as-61000.3.100"
    guarantee: Annotated[Guarantee, typer.Option(help="What holds while limits are kept.")] = Guarantee.TWO_SIDED
    allocation: Annotated[Allocation, typer.Option(help="Who gets which part of the room.")] = Allocation.MAX_MIN
    reference: Annotated[Reference, typer.Option(help="What a fair share is a share of.")] = Reference.CAPACITY
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False

    def problem(self, feeder: str) -> Problem:
        """The problem of a feeder folder, of european-lv, or of a plan that the engine saved."""
        from envelope import plan
        from envelope.horizon import Study, problem_of

        if Path(feeder).suffix == ".npz":
            return plan.load(Path(feeder)).problem
        found = plan.feeder_of(feeder)
        count = len(found.network.connections)
        chosen = np.zeros(count, dtype=bool)
        chosen[np.random.default_rng(self.seed).permutation(count)[: round(self.flexible * count)]] = True
        study = Study(
            steps=self.steps,
            export_w=1e3 * self.export_kw,
            import_w=1e3 * self.import_kw,
            flexible=chosen,
            sun=not self.all_day,
            limits=OperatingLimits.of(self.limits),
        )
        return replace(
            problem_of(found, study),
            guarantee=self.guarantee,
            allocation=self.allocation,
            reference=self.reference,
        )


def command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Make a function `f(feeder, ..., *, asked)` the command `name`, with the shared options as its own."""

    def declare(function: Command) -> Command:
        kinds = get_type_hints(Asked, include_extras=True)
        own = [p for p in inspect.signature(function).parameters.values() if p.name != "asked"]
        shared = [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=kinds[f.name])
            for f in fields(Asked)
        ]

        @wraps(function)
        def run(*args: Any, **named: Any) -> None:
            asked = Asked(**{f.name: named.pop(f.name) for f in fields(Asked)})
            with refusals():
                function(*args, **named, asked=asked)

        hints = {key: kind for key, kind in get_type_hints(function, include_extras=True).items() if key != "asked"}
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = hints | {f.name: kinds[f.name] for f in fields(Asked)}
        app.command(name)(run)
        return function

    return declare


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Errors in what was asked end the command with one line."""
    try:
        yield
    except (SepError, GridError, OSError) as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None


@contextlib.contextmanager
def stages(quiet: bool) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, with the time it takes; on a terminal only."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=quiet or not sys.stderr.isatty()) as progress:
        task = progress.add_task("")
        yield lambda said: progress.update(task, description=said)
