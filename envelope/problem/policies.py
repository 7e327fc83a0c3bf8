"""Policies that a problem names: guarantee, allocation, what a share refers to, how early a tightening is published."""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """Direction of net power at a connection."""

    EXPORT = "export"
    """from the connection into the network"""
    IMPORT = "import"
    """from the network into the connection"""

    @property
    def other(self) -> Direction:
        """The opposite direction."""
        return Direction.IMPORT if self is Direction.EXPORT else Direction.EXPORT


class Guarantee(StrEnum):
    """Condition under which the network limits hold while every connection keeps its own."""

    TWO_SIDED = "two-sided"
    """any combination of all connections anywhere between their import and export limits"""
    ONE_SIDED = "one-sided"
    """any combination between forecast and export limit, and any between import limit and forecast"""
    COINCIDENT = "coincident"
    """only all at their export limit together, or all at their import limit together"""
    DECLARED_BAND = "declared-band"
    """any combination in which no home's generation falls below a declared share of its limit or the sun"""


class ShareReference(StrEnum):
    """Denominator of fairness: the watts that one share stands for."""

    CAPACITY = "capacity"
    """the connection's largest capacity of the horizon"""
    REACH = "reach"
    """what the connection could use in that very interval (its forecast surplus)"""
    CONTRACT = "contract"
    """the given `contract_*_w`"""
    EQUAL = "equal"
    """the same watts for everyone"""


class TighteningLead(StrEnum):
    """How far before its interval a tightening is published."""

    STEP = "step"
    """a whole step: an interval's limit is never above that of the next one"""
    ADOPTION = "adoption"
    """`adoption_s`, each direction at its own edge: an interval's limit is its own until then"""


class ImportInSun(StrEnum):
    """Import that a policy grants while the sun shines."""

    OWN_BAND = "own-band"
    """each home's own demand; chargers and other flexible load wait"""
    SHARED = "shared"
    """as at any other time"""


class Allocation(StrEnum):
    """The fairness rules by name."""

    EQUAL = "equal"
    PROPORTIONAL = "proportional"
    MAX_MIN = "max-min"
    PROPORTIONAL_FAIR = "proportional-fair"
    ALPHA_FAIR = "alpha-fair"
    MAX_SUM = "max-sum"


class Policy(StrEnum):
    """How the devices of one connection share what it may generate and draw."""

    PROPORTIONAL = "proportional"
    """by size"""
    EQUAL = "equal"
    """the same for each, up to its size"""
    PRIORITY = "priority"
    """the first up to its size, then the next"""
