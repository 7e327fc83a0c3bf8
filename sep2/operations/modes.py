"""The modes of a control beside its limits: stored by wire name as JSON, checked by the types of the wire."""

from collections.abc import Mapping
from typing import Any

from sep2 import wire as w
from sep2.errors import BadValue
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


class BadMode(BadValue):
    """A mode can not be sent so."""


def control_base(modes: Mapping[str, Any]) -> w.DERControlBase:
    """A DERControlBase that carries these modes, each within the bounds of its type."""
    base = w.DERControlBase(**{name: _value(name, said) for name, said in modes.items()})
    w.check(base, w.Profile.CSIP)
    return base


def _value(name: str, said: Any) -> Any:
    if name in MODES:
        raise BadMode(f"{name}: is given as a limit")
    if name in _SCALARS and not isinstance(said, Mapping):
        return said
    if name not in _STRUCTURES or not isinstance(said, Mapping):
        raise BadMode(f"{name}: {said!r}"[:120])
    try:
        return _STRUCTURES[name](**said)
    except TypeError as wrong:
        raise BadMode(f"{name}: {wrong}") from None
