"""Kinds of places in the network, from the system down: what may lie below what, and how much its programs count."""

KINDS = {
    "system": "SY",
    "subtransmission": "ST",
    "substation": "SS",
    "feeder": "FD",
    "segment": "SG",
    "transformer": "TF",
}
"""The topology level of CSIP for each kind of place, the widest first."""
_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}
LARGEST_PRIMACY = 90
"""That of the system; each narrower kind counts more (CSIP 5.2.4: the lower the primacy number, the more it counts)."""


def may_lie_below(kind: str, parent: str) -> bool:
    """Whether a place of one kind may lie below one of another; segments of a line may follow each other."""
    return _RANKS[parent] < _RANKS[kind] or kind == parent == "segment"


def primacy_of(kind: str) -> int:
    """The primacy of the program of a place, unless its owner chose another one."""
    return LARGEST_PRIMACY - 2 * _RANKS[kind]
