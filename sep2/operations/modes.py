"""The modes of a control beside its limits: stored by wire name as JSON, checked by the types of the wire.

A mode that links to a curve has the number of the curve's row for its value.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sep2 import wire as w
from sep2.errors import BadValue
from sep2.rules import curves
from sep2.rules.limits import MODES

_STRUCTURES: dict[str, type] = {
    "opModFixedPFAbsorbW": w.PowerFactorWithExcitation,
    "opModFixedPFInjectW": w.PowerFactorWithExcitation,
    "opModFixedVar": w.FixedVar,
    "opModFreqDroop": w.FreqDroopType,
    "opModTargetVar": w.ReactivePower,
    "opModTargetW": w.ActivePower,
}
_SCALARS = frozenset({"opModConnect", "opModEnergize", "opModFixedW", "opModMaxLimW"})
_OF_VARS = (w.DERUnitRefType.setMaxW, w.DERUnitRefType.setMaxVar, w.DERUnitRefType.statVarAvail)
_ENTER_SERVICE = frozenset(
    {"setESDelay", "setESHighFreq", "setESHighVolt", "setESLowFreq", "setESLowVolt", "setESRampTms", "setESRandomDelay"}
)


class BadMode(BadValue):
    """A mode can not be sent so."""


def control_base(modes: Mapping[str, Any], curve: Callable[[int], str] = str) -> w.DERControlBase:
    """A DERControlBase that carries these modes, each within the bounds of its type; `curve` says where one is."""
    base = w.DERControlBase(**{name: _value(name, said, curve) for name, said in modes.items()})
    w.check(base, w.Profile.CSIP)
    _check_meaning(base)
    return base


def curve_ids(modes: Mapping[str, Any]) -> dict[str, int]:
    """The curves that these modes link to, by mode."""
    return {name: said for name, said in modes.items() if name in curves.MODES}


def enter_service(said: Mapping[str, Any]) -> dict[str, int]:
    """What a default says of entering service, by wire name, each within the bounds of its type."""
    if strange := said.keys() - _ENTER_SERVICE:
        raise BadMode(f"enter_service: {min(strange)[:60]!r} is none of {' '.join(sorted(_ENTER_SERVICE))}")
    default = w.DefaultDERControl(mRID=w.HexBinary(0), DERControlBase=w.DERControlBase(), **said)
    w.check(default, w.Profile.CSIP)
    return dict(said)


def _value(name: str, said: Any, curve: Callable[[int], str]) -> Any:
    if name in MODES:
        raise BadMode(f"{name}: is given as a limit")
    if name in curves.MODES and type(said) is int and said >= 0:
        return w.DERCurveLink(href=curve(said))
    if name in _SCALARS and not isinstance(said, Mapping):
        return said
    if name not in _STRUCTURES or not isinstance(said, Mapping):
        raise BadMode(f"{name}: {said!r}"[:120])
    try:
        return _STRUCTURES[name](**said)
    except TypeError as wrong:
        raise BadMode(f"{name}: {wrong}") from None


def _check_meaning(base: w.DERControlBase) -> None:
    if base.opModFixedVar is not None and base.opModFixedVar.refType not in _OF_VARS:
        raise BadMode(f"opModFixedVar: refType: {base.opModFixedVar.refType} is not 1, 2 or 3")
    for name in ("opModFixedPFAbsorbW", "opModFixedPFInjectW"):
        factor = getattr(base, name)
        if factor is not None and factor.displacement * 10.0**factor.multiplier > 1:
            raise BadMode(f"{name}: a power factor is at most 1")
