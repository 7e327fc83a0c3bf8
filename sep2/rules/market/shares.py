"""Shares of DERs over time: how much of each is taken, and which services exclude each other (ppm, half-open times)."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

WHOLE_PPM = 1_000_000
FAR_OFF_PPM = 50_000
"""A declared factor that is further than this from the one by ratings is worth a question."""
SplitBy = Literal["declared", "rating"]
DECLARED: SplitBy = "declared"
RATING: SplitBy = "rating"


class Held(NamedTuple):
    """A share of one DER for a service in [start, end), and who holds it."""

    der: str
    service: str
    start: int
    end: int
    ppm: int
    holder: str


class Overlap(NamedTuple):
    """When more of a DER is held than there is, or by services that exclude each other."""

    der: str
    start: int
    end: int
    ppm: int
    holders: tuple[str, ...]


def overlaps(held: Iterable[Held], exclusive: Sequence[tuple[str, str]]) -> list[Overlap]:
    """Where shares of a DER sum above the whole over services that exclude each other; neighbouring spans are joined.

    A service excludes itself: the same energy is not sold twice.
    """
    by_der: dict[str, list[Held]] = {}
    for one in held:
        if one.start < one.end:
            by_der.setdefault(one.der, []).append(one)
    return [
        overlap
        for _, mine in sorted(by_der.items())
        for services in _excluding({one.service for one in mine}, exclusive)
        for overlap in _beyond([one for one in mine if one.service in services])
    ]


def excludes(a: str, b: str, exclusive: Sequence[tuple[str, str]]) -> bool:
    """Whether one interval of a DER can not serve both."""
    return a == b or (a, b) in exclusive or (b, a) in exclusive


def factors(weights: Mapping[str, int]) -> dict[str, int]:
    """Distribution factors (ppm) by weights such as W at each node; they sum to the whole (largest remainder)."""
    total = sum(weights.values())
    if total <= 0:
        return {}
    exact = {node: weight * WHOLE_PPM for node, weight in weights.items()}
    found = {node: value // total for node, value in exact.items()}
    missing = WHOLE_PPM - sum(found.values())
    for node in sorted(exact, key=lambda node: (-(exact[node] % total), node))[:missing]:
        found[node] += 1
    return found


class NodeFactors(NamedTuple):
    """The part of each node (ppm, summing to the whole; empty: nothing to spread), and where it is from."""

    ppm: dict[str, int]
    split_by: SplitBy


def factors_in_use(declared: Mapping[str, int], weights: Mapping[str, int]) -> NodeFactors:
    """The factors that were declared, unless there are none, or a node of them has nobody who could do its part."""
    if declared and all(weights.get(node) for node, ppm in declared.items() if ppm):
        return NodeFactors({node: ppm for node, ppm in declared.items() if ppm}, DECLARED)
    return NodeFactors(factors(weights), RATING)


def far_off(declared: Mapping[str, int], derived: Mapping[str, int]) -> list[str]:
    """The nodes, by name, whose declared factor is further from the one by ratings than `FAR_OFF_PPM`."""
    nodes = sorted({*declared, *derived}) if declared and derived else []
    return [node for node in nodes if abs(declared.get(node, 0) - derived.get(node, 0)) > FAR_OFF_PPM]


def _excluding(services: set[str], exclusive: Sequence[tuple[str, str]]) -> list[set[str]]:
    """Sets of services of which each excludes every other: one by itself, or a pair."""
    pairs = [{a, b} for a, b in exclusive if a in services and b in services]
    paired = set().union(*pairs) if pairs else set()
    return pairs + [{service} for service in sorted(services - paired)]


def _beyond(held: list[Held]) -> list[Overlap]:
    edges = sorted({one.start for one in held} | {one.end for one in held})
    found: list[Overlap] = []
    for start, end in pairwise(edges):
        there = [one for one in held if one.start <= start and end <= one.end]
        ppm = sum(one.ppm for one in there)
        holders = tuple(sorted({one.holder for one in there}))
        if ppm <= WHOLE_PPM:
            continue
        last = found[-1] if found else None
        if last is not None and last.end == start and (last.ppm, last.holders) == (ppm, holders):
            found[-1] = last._replace(end=end)
        else:
            found.append(Overlap(there[0].der, start, end, ppm, holders))
    return found
