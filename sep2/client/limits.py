"""What holds for a device at one moment: every mode with the control or default that set it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from sep2.rules.limits import PERCENT_100


class Setting(NamedTuple):
    """The value of one mode, and what set it."""

    value: Any
    mrid: int
    """of the DERControl or DefaultDERControl"""
    program: int = 0
    """mRID of its DERProgram"""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """The modes in force, by wire name: powers in watts, PerCent in hundredths, the rest as the wire has it.

    A limit that is None is not set by the server: the device keeps to what its installer set.
    """

    modes: Mapping[str, Setting] = field(default_factory=lambda: MappingProxyType({}))
    set_max_w: float | None = None
    """The device's own setMaxW, which percentages refer to."""

    @property
    def import_limit_w(self) -> float | None:
        """The most the connection may draw."""
        return self._watts("opModImpLimW")

    @property
    def export_limit_w(self) -> float | None:
        """The most the connection may feed in."""
        return self._watts("opModExpLimW")

    @property
    def load_limit_w(self) -> float | None:
        """The most the controllable equipment may consume."""
        return self._watts("opModLoadLimW")

    @property
    def gen_limit_w(self) -> float | None:
        """The most the controllable equipment may generate: the tighter of opModGenLimW and opModMaxLimW."""
        given = [limit for limit in (self._watts("opModGenLimW"), self._share_of_max()) if limit is not None]
        return min(given, default=None)

    @property
    def may_energize(self) -> bool:
        """False while a control or default asks to disconnect or to cease to energize."""
        return all(self.modes[mode].value for mode in ("opModConnect", "opModEnergize") if mode in self.modes)

    def set_by(self, mode: str) -> int | None:
        """The mRID that set a mode, None if none did."""
        setting = self.modes.get(mode)
        return None if setting is None else setting.mrid

    def _watts(self, mode: str) -> float | None:
        setting = self.modes.get(mode)
        return None if setting is None else float(setting.value)

    def _share_of_max(self) -> float | None:
        setting = self.modes.get("opModMaxLimW")
        if setting is None or self.set_max_w is None:
            return None
        return self.set_max_w * float(setting.value) / PERCENT_100


NO_LIMITS = Limits()
