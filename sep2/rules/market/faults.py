"""What is wrong with something handed in: all of it at once, each with its field, value and bound."""

from collections.abc import Sequence
from typing import NamedTuple

from sep2.errors import SepError

MOST_SHOWN = 100


class Fault(NamedTuple):
    """One thing that is wrong."""

    path: str
    """the field, such as `max_gen_w`; of a sheet with its line before, `line 7: max_gen_w`"""
    code: str
    value: str = ""
    bound: str = ""
    """what would do"""

    def __str__(self) -> str:
        found = f" is {self.value!r}" if self.value else ""
        return f"{self.path}{found}: {expected(self.bound) or self.code}"


def expected(bound: str) -> str:
    """What would do, in a sentence about what would not; empty where that is not said."""
    return bound if not bound or bound.lower().startswith("expected") else f"expected {bound}"


class Unfit(SepError):
    """What was handed in does not fit."""

    status = 422
    named: str
    """The code of the answer: that of what is wrong, where all that is wrong is of one kind."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults[:MOST_SHOWN])
        self.number = len(faults)
        codes = {one.code for one in faults}
        self.named = codes.pop() if len(codes) == 1 else self.code
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        super().__init__(f"{faults[0]}{more}")


def refuse(faults: Sequence[Fault]) -> None:
    """Nothing, unless something is wrong."""
    if faults:
        raise Unfit(faults)
