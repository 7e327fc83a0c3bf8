"""Limits on the sum of some connections' power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from envelope.field_rules import BadProblem, InstanceOf, Numbers, Rule, Strings, validate
from gridmodel.arrays import Real


@dataclass(frozen=True)
class GroupLimit:
    """Limit on the sum of some connections, such as a breaker's rating or reverse flow."""

    name: str
    connections: tuple[str, ...]
    max_import_w: float
    max_export_w: float
    part: Real | None = field(default=None, compare=False)
    """(T,) how far the sum may be from the middle in each step, over `half_range_w`; default all of it"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "name": InstanceOf(str),
        "connections": Strings(per_connection=False),
        "max_import_w": Numbers(low=0.0),
        "max_export_w": Numbers(low=0.0),
        "part": Numbers("T"),
    }

    def __post_init__(self) -> None:
        validate(self, of=f"group {self.name}: ")
        if self.half_range_w <= 0.0:
            raise BadProblem(f"group {self.name}: max_import_w and max_export_w: both are 0")

    @property
    def middle_w(self) -> float:
        """Sum, export positive, that is farthest from both limits."""
        return 0.5 * (self.max_export_w - self.max_import_w)

    @property
    def half_range_w(self) -> float:
        """How far the sum may be from the middle."""
        return 0.5 * (self.max_export_w + self.max_import_w)
