"""`sep2 commissioning`: open, list, show, test, phases, pass."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, listed, show
from sep2.cli.units import shown_time, span, watts
from sep2.cli.verb import verb

commissioning = typer.Typer(
    no_args_is_help=True, help="Connections that are commissioned: no flexible limit before they have passed."
)
Named = Annotated[str, typer.Argument(metavar="CONNECTION", help="Its id, e.g. the NMI.")]
STEPS = ("registered", "heard", "tested", "sign", "phase")
COLUMNS = ("connection", "opened", *STEPS, "passed")


def _cells(one: t.CommissioningShown) -> tuple[str, ...]:
    done = {step.name: "yes" if step.done else "no" for step in one.steps}
    return (one.connection, shown_time(one.opened), *(done[name] for name in STEPS), shown_time(one.passed))


def _said(one: t.CommissioningShown) -> str:
    if one.passed is not None:
        return f"{one.connection} has passed, recorded by {one.passed_by}; envelopes may give it flexible limits."
    missing = "; ".join(f"{step.name}: {step.detail}" for step in one.steps if not step.done)
    then = missing or f"All is done: sep2 commissioning pass {one.connection}"
    return f"{one.connection} has not passed, and gets no flexible limit. {then}."


@verb(commissioning, "open", changes=True)
def open_commissioning(name: Named) -> None:
    """Begin to commission a connection, anew where it was before; its contract and default hold meanwhile.

    [bold]sep2 commissioning open NMI1[/]
    """
    done = api().change("POST", "/commissioning", t.CommissioningShown, t.NewCommissioning(connection=name))
    show(done, _said(done))


@verb(commissioning, "list")
def list_commissionings(
    *, every: Annotated[bool, typer.Option("--every", help="Also those that have passed.")] = False, limit: Limit = 100
) -> None:
    """Connections that are being commissioned, and which steps are done."""
    found = api().get("/commissioning", t.Listed[t.CommissioningShown], every=every, limit=limit)
    rows = (_cells(one) for one in found.items)
    show(found, listed(found.total, len(found.items), "connection"), columns=COLUMNS, rows=rows)


@verb(commissioning, "show")
def show_commissioning(name: Named) -> None:
    """The steps of one connection, and what is missing."""
    found = api().get(at("commissioning", name), t.CommissioningShown)
    rows = ((step.name, "done" if step.done else "not done", step.detail) for step in found.steps)
    show(found, _said(found), columns=("step", "state", "what is known"), rows=rows)


Bound = Annotated[int | None, typer.Option(parser=watts, metavar="POWER", help="At most so much, e.g. 1kW.")]


@verb(commissioning, "test", changes=True)
def send_test(
    name: Named,
    *,
    import_: Annotated[int | None, typer.Option("--import", parser=watts, metavar="POWER", help="e.g. 1kW")] = None,
    export: Bound = None,
    gen: Bound = None,
    load: Bound = None,
    duration: Annotated[
        int | None, typer.Option("--for", parser=span, metavar="SPAN", help="Longer than it polls; 30m if not said.")
    ] = None,
) -> None:
    """Send a short control; answers and meter show whether the connection keeps it.

    [bold]sep2 commissioning test NMI1 --export 1kW --for 30m[/]
    """
    limits = t.Limits(import_w=import_, export_w=export, gen_w=gen, load_w=load)
    body = t.CommissioningTest(limits=limits, duration=duration or 1800)
    done = api().change("POST", at("commissioning", name, "test"), t.CommissioningShown, body)
    show(done, f"{done.connection} is tested by override {done.test}; then: sep2 commissioning show {done.connection}")


@verb(commissioning, "phases", changes=True)
def prove_phases(
    name: Named,
    phases: Annotated[str, typer.Argument(metavar="PHASES", help="a, b, c, ab, bc, ca, abc; 1, 2, 12 or split.")],
    *,
    how: Annotated[str, typer.Option(help="How it was proven.")],
) -> None:
    """Record at which phases a connection was found to be, and how that was proven.

    [bold]sep2 commissioning phases NMI1 a --how "clamp at the pole"[/]
    """
    body = t.Phases(phases=phases, how=how)
    show(done := api().change("POST", at("commissioning", name, "phases"), t.CommissioningShown, body), _said(done))


@verb(commissioning, "pass", changes=True)
def pass_commissioning(name: Named, *, note: Annotated[str, typer.Option(help="For the record.")] = "") -> None:
    """Record that a connection passed, all steps being done; envelopes may give it flexible limits from then on.

    [bold]sep2 commissioning pass NMI1[/]
    """
    body = t.CommissioningPass(note=note)
    show(done := api().change("POST", at("commissioning", name, "pass"), t.CommissioningShown, body), _said(done))
