"""The modes beside the limits, as options: what people type, and how it is shown again."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import wraps
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from sep2.admin import types as t
from sep2.cli.api import Api, at
from sep2.cli.units import PREFIX, span
from sep2.rules.limits import scaled
from sep2.terminal import Lines, shown

Function = TypeVar("Function", bound=Callable[..., None])

REFERENCES = {"setMaxW": 1, "setMaxVar": 2, "statVarAvail": 3}
"""What a percentage of reactive power may be of (DERUnitRefType)."""
_NUMBER = r"([+-]?\d+(?:\.\d+)?)"
SIDES = {"absorb": True, "inject": False}
"""On which side a power factor is: `excitation` is true where var are absorbed."""


def hundredths(text: str) -> int:
    """60%, 0.5% or -40% in hundredths of a percent."""
    found = re.fullmatch(_NUMBER + "%", text.strip(), re.ASCII)
    value = Decimal(found[1]) * 100 if found else Decimal("NaN")
    if not found or value != int(value) or abs(value) > 10_000:
        raise typer.BadParameter(f"{text!r} is no percentage; write 60% or 0.25%")
    return int(value)


def power(text: str) -> dict[str, Any]:
    """5kW as opModTargetW; 40% (of setMaxW) as opModFixedW."""
    if text.strip().endswith("%"):
        return {"opModFixedW": hundredths(text)}
    return {"opModTargetW": _quantity(text, "w", "5kW, -5kW to charge, or 40% of setMaxW")}


def reactive(text: str) -> dict[str, Any]:
    """2kvar as opModTargetVar; 30% (of setMaxVar, or of what is named) as opModFixedVar."""
    share, percent, of = text.strip().partition("%")
    if not percent:
        return {"opModTargetVar": _quantity(text, "var", "2kvar, -2kvar to absorb, or 30%")}
    if of and of not in REFERENCES:
        raise typer.BadParameter(f"{of!r} is none of {', '.join(REFERENCES)}")
    return {"opModFixedVar": {"refType": REFERENCES[of or "setMaxVar"], "value": hundredths(share + "%")}}


def power_factor(text: str) -> dict[str, Any]:
    """0.95:absorb or 0.95:inject as a PowerFactorWithExcitation."""
    factor, _, side = text.strip().partition(":")
    if not re.fullmatch(r"1(\.0{1,4})?|0\.\d{1,4}", factor, re.ASCII) or side not in SIDES:
        raise typer.BadParameter(f"{text!r} is no power factor; write 0.95:absorb or 0.95:inject")
    displacement = int(Decimal(factor) * 10_000)
    return {"displacement": displacement, "excitation": SIDES[side], "multiplier": -4}


def droop(text: str) -> dict[str, int]:
    """0.036Hz:5%:5s (dead band, droop, open-loop response) as a FreqDroopType, the same both ways."""
    found = re.fullmatch(r"(\d+(?:\.\d{1,3})?)Hz:(\d+(?:\.\d)?)%:(\w+)", text.strip(), re.ASCII)
    if not found:
        raise typer.BadParameter(f"{text!r} is no droop; write 0.036Hz:5%:5s: dead band, droop, response")
    band, slope = int(Decimal(found[1]) * 1000), int(Decimal(found[2]) * 10)
    return {"dBOF": band, "dBUF": band, "kOF": slope, "kUF": slope, "openLoopTms": span(found[3]) * 100}


ENTER_SERVICE = {
    "delay": ("setESDelay", "s"),
    "random-delay": ("setESRandomDelay", "s"),
    "ramp": ("setESRampTms", "s"),
    "low-volt": ("setESLowVolt", "%"),
    "high-volt": ("setESHighVolt", "%"),
    "low-freq": ("setESLowFreq", "Hz"),
    "high-freq": ("setESHighFreq", "Hz"),
}
"""What a default says of entering service, as people call it: the name on the wire, and the unit it is typed in."""


def enter_service(text: str) -> tuple[str, int]:
    """delay=300s, low-volt=91.7% or high-freq=60.1Hz by wire name, in hundredths."""
    what, _, value = text.strip().partition("=")
    name, unit = ENTER_SERVICE.get(what, ("", ""))
    found = re.fullmatch(rf"(\d+(?:\.\d\d?)?){unit}", value, re.ASCII)
    if not name or not found:
        units = ", ".join(f"{known}=…{unit}" for known, (_, unit) in ENTER_SERVICE.items())
        raise typer.BadParameter(f"{text!r} is not clear; write one of {units}")
    return name, int(Decimal(found[1]) * 100)


def _quantity(text: str, unit: str, example: str) -> dict[str, int]:
    found = re.fullmatch(rf"{_NUMBER}\s*([kmg]?)({unit})?", text.strip(), re.IGNORECASE | re.ASCII)
    value = Decimal(found[1]) * PREFIX[found[2].lower()] if found else Decimal("NaN")
    if not found or value != int(value):
        raise typer.BadParameter(f"{text!r} is not clear; write {example}")
    multiplier, magnitude = scaled(abs(int(value)))
    return {"multiplier": multiplier, "value": magnitude if value >= 0 else -magnitude}


def _option(name: str, parser: Callable[[str], Any], example: str, help_text: str) -> Any:
    return Annotated[Any, typer.Option(name, parser=parser, metavar=example, help=help_text)]


OPTIONS: dict[str, Any] = {
    "connect": Annotated[
        bool | None, typer.Option("--connect/--disconnect", help="Close or open the switch (opModConnect).")
    ],
    "energize": Annotated[
        bool | None, typer.Option("--energize/--de-energize", help="Let it feed, or cease to (opModEnergize).")
    ],
    "max_power": _option("--max-power", hundredths, "60%", "At most so much of setMaxW (opModMaxLimW)."),
    "power": _option(
        "--power", power, "5kW|40%", "Feed so much: opModTargetW, or opModFixedW in % of setMaxW; negative charges."
    ),
    "reactive": _option(
        "--reactive", reactive, "2kvar|30%", "Inject so much: opModTargetVar, or opModFixedVar in % of setMaxVar."
    ),
    "factor": _option("--power-factor", power_factor, "0.95:absorb", "While it feeds (FixedPFInjectW)."),
    "charging_factor": _option("--charging-factor", power_factor, "0.95:inject", "While it charges (FixedPFAbsorbW)."),
    "droop": _option(
        "--droop", droop, "0.036Hz:5%:5s", "Dead band, droop and response of frequency-watt (opModFreqDroop)."
    ),
    "curves": Annotated[
        list[str] | None,
        typer.Option("--curve", metavar="MRID", help="A curve of the group, for the function it is made for."),
    ],
}


def with_modes(function: Function) -> Function:
    """Give a command the options for modes; it takes what was said with them as `said_modes`."""

    @wraps(function)
    def run(*args: Any, **named: Any) -> None:
        said = {name: named.pop(name) for name in OPTIONS}
        function(*args, said_modes=said, **named)

    own = [one for one in inspect.signature(function).parameters.values() if one.name != "said_modes"]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]
    run.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
    run.__annotations__ = {**get_type_hints(function, include_extras=True), **OPTIONS}
    del run.__annotations__["said_modes"]
    return run  # type: ignore[return-value]


def modes_of(server: Api, said: Mapping[str, Any]) -> dict[str, Any]:
    """The modes by wire name; that of a curve is the one it is made for."""
    named = {
        "opModConnect": said["connect"],
        "opModEnergize": said["energize"],
        "opModMaxLimW": said["max_power"],
        "opModFixedPFInjectW": said["factor"],
        "opModFixedPFAbsorbW": said["charging_factor"],
        "opModFreqDroop": said["droop"],
        **(said["power"] or {}),
        **(said["reactive"] or {}),
    }
    for mrid in said["curves"] or ():
        curve = server.get(at("curves", mrid), t.Curve)
        if curve.kind in named:
            raise typer.BadParameter(f"two curves are for {curve.kind}; give one")
        named[curve.kind] = curve.mrid
    return {name: value for name, value in named.items() if value is not None}


def shown_modes(modes: Mapping[str, Any]) -> str:
    """Modes in a table's cell, one a line."""
    return Lines("\n".join(shown(f"{name} {shown_mode(name, value)}") for name, value in modes.items()))


PERCENT = ("opModMaxLimW", "opModFixedW", "setGradW", "setSoftGradW")
"""In hundredths of a percent on the wire."""


def shown_mode(name: str, value: Any) -> str:
    """A mode's value as it is typed."""
    if name in PERCENT and isinstance(value, int):
        return f"{plain(Decimal(value) / 100)}%"
    if name == "opModFixedVar":
        of = {number: word for word, number in REFERENCES.items()}.get(value["refType"], "")
        return f"{plain(Decimal(value['value']) / 100)}%{of}"
    if name in ("opModTargetW", "opModTargetVar"):
        unit, amount = ("W" if name == "opModTargetW" else "var"), Decimal(value["value"]).scaleb(value["multiplier"])
        return f"{plain(amount / 1000)}k{unit}" if abs(amount) >= 1000 else f"{plain(amount)}{unit}"
    if name.startswith("opModFixedPF"):
        factor = Decimal(value["displacement"]).scaleb(value["multiplier"])
        return f"{plain(factor)}:{next(side for side, absorbs in SIDES.items() if absorbs is value['excitation'])}"
    if name == "opModFreqDroop":
        band, slope = Decimal(value["dBOF"]) / 1000, Decimal(value["kOF"]) / 10
        return f"{plain(band)}Hz:{plain(slope)}%:{plain(Decimal(value['openLoopTms']) / 100)}s"
    unit = next((unit for known, unit in ENTER_SERVICE.values() if known == name), "")
    return f"{plain(Decimal(value) / 100)}{unit}" if unit else shown_value(value)


def plain(value: Decimal) -> str:
    """A number without an exponent or noughts at its end."""
    return f"{value.normalize():f}"


def shown_value(value: Any) -> str:
    """A mode's value in short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return " ".join(_pairs(value.items()))
    return str(value)


def _pairs(items: Iterable[tuple[str, Any]]) -> Iterable[str]:
    return (f"{name}={shown_value(value)}" for name, value in items)
