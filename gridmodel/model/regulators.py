"""Controls of tap changers as data: what they hold, where they measure it, and what they do when power runs backwards.

`gridmodel.flow.taps` solves the network with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from gridmodel.arrays import TURN, Complex
from gridmodel.errors import GridError

PHASES = ("abc", "a", "b", "c")
MEASURED = ("positive", "a", "b", "c", "ab", "bc", "ca")


class Mode(StrEnum):
    """What a control does while power runs from its load side to its source side."""

    FORWARD = "forward"
    """goes on as before: it does not look at the direction"""
    LOCKED_FORWARD = "locked_forward"
    """stands still where it was"""
    REVERSE_IDLE = "reverse_idle"
    """stands still where it was"""
    NEUTRAL_IDLE = "neutral_idle"
    """goes to the neutral position"""
    BIDIRECTIONAL = "bidirectional"
    """holds the voltage of its source side, by the reverse settings"""
    COGENERATION = "cogeneration"
    """goes on holding its load side, by the reverse settings"""
    FIXED = "fixed"
    """stands still in either direction"""


HOLDING = (Mode.LOCKED_FORWARD, Mode.REVERSE_IDLE)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a control holds, in volts behind its potential transformer."""

    set_v: float
    band_v: float
    """whole width: the control rests within half of it on either side"""
    ldc_r: float = 0.0
    ldc_x: float = 0.0
    """line-drop compensation, V at the rated current of the current transformer"""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.set_v, self.band_v, self.ldc_r, self.ldc_x))):
            raise GridError(f"{self}: not a number")
        if self.set_v <= 0.0 or not 0.0 < self.band_v < self.set_v:
            raise GridError(f"set voltage {self.set_v:g} V and band {self.band_v:g} V: 0 < band < set is needed")

    @property
    def low_v(self) -> float:
        """Below it the control raises."""
        return self.set_v - 0.5 * self.band_v

    @property
    def high_v(self) -> float:
        """Above it the control lowers."""
        return self.set_v + 0.5 * self.band_v


@dataclass(frozen=True, slots=True)
class Regulator:
    """The control of one transformer's taps, or of one phase of them.

    A line regulator is a transformer of equal rated voltages (YNyn0) whose taps it moves.
    """

    id: str
    transformer: str
    """the branch whose taps it moves; the regulated voltage is that of its low-voltage (load) side"""
    forward: Setting
    tap_min: int
    tap_max: int
    tap_step_percent: float
    """of the rated turns, per position; position 0 is neutral"""
    tap: int = 0
    """where it stands now, as the network was built"""
    tap_side: str = "lv"
    phases: str = "abc"
    """whose taps it moves: all three together, or one"""
    measured: str = ""
    """"a" (to neutral), "ab" (between phases) or "positive" (sequence); default: its own phase, or "positive" """
    pt: float = 1.0
    """V of the network per V of the settings"""
    ct: float = 1.0
    """A at which line-drop compensation has its full value"""
    mode: Mode = Mode.FORWARD
    reverse: Setting | None = None
    """settings while power runs backwards, where the mode has any; default: as forward"""

    def __post_init__(self) -> None:
        if self.phases not in PHASES:
            raise GridError(f"regulator {self.id}: phases {self.phases!r} is none of {', '.join(PHASES)}")
        if self.watches not in MEASURED:
            raise GridError(f"regulator {self.id}: measured {self.measured!r} is none of {', '.join(MEASURED)}")
        if self.tap_side not in ("hv", "lv"):
            raise GridError(f"regulator {self.id}: tap_side {self.tap_side!r} is neither hv nor lv")
        if not self.tap_min <= self.tap <= self.tap_max or self.tap_min == self.tap_max:
            raise GridError(f"regulator {self.id}: tap {self.tap} in a range of {self.tap_min}..{self.tap_max}")
        if not self.tap_step_percent > 0.0 or min(self.ratio(self.tap_min), self.ratio(self.tap_max)) <= 0.0:
            raise GridError(f"regulator {self.id}: steps of {self.tap_step_percent:g} %")
        if not min(self.pt, self.ct) > 0.0:
            raise GridError(f"regulator {self.id}: transformers of {self.pt:g} V per V and {self.ct:g} A")

    @property
    def watches(self) -> str:
        """One of MEASURED."""
        return self.measured or (self.phases if len(self.phases) == 1 else "positive")

    @property
    def backward(self) -> Setting:
        """The settings while power runs backwards."""
        return self.reverse or self.forward

    @property
    def neutral(self) -> int:
        """The position nearest to neutral."""
        return min(max(0, self.tap_min), self.tap_max)

    def ratio(self, tap: int) -> float:
        """Turns of the tapped side over its rated turns."""
        return 1.0 + tap * self.tap_step_percent / 100.0

    def at(self, tap: int) -> Regulator:
        """The same control standing at another position."""
        return replace(self, tap=tap)

    def weights(self) -> tuple[Complex, Complex, Complex]:
        """(3,) each: what the control makes of the phases' voltages and currents, and whose power it looks at."""
        watched = self.watches
        if watched == "positive":
            sequence = np.array([1.0, TURN, TURN**2], dtype=np.complex128) / 3.0
            return sequence, sequence, np.ones(3, dtype=np.complex128)
        of_power = np.array([phase in self.phases for phase in "abc"], dtype=np.complex128)
        single = np.zeros(3, dtype=np.complex128)
        single["abc".index(watched[0])] = 1.0
        if len(watched) == 1:
            return single, single, of_power
        single["abc".index(watched[1])] = -1.0
        return single, np.asarray(single / math.sqrt(3.0)), of_power
