"""Distribution factors of aggregations, as they are typed and told."""

from collections.abc import Mapping, Sequence

import typer

from sep2.admin.types import market_register as t


def ppm_of(factors: Sequence[str]) -> dict[str, int]:
    """Factors of nodes, ppm, from words such as N17=60."""
    found: dict[str, int] = {}
    for word in factors:
        node, _, percent = word.rpartition("=")
        try:
            ppm = round(float(percent.strip().removesuffix("%")) * 10_000)
        except (ValueError, OverflowError):
            node = ""
        if not node or node in found:
            raise typer.BadParameter(f"--factor {word}: NODE=PERCENT, each node once, such as N17=60")
        found[node] = ppm
    return found


def spread_of(one: t.Aggregation) -> str:
    """Where a dispatch goes, and which declared factors are far from what is there; a single node goes without."""
    if len(one.iso_nodes) < 2 and not one.declared_factors_ppm:
        return ""
    if one.factors_by == "rating":
        declared = " (what is declared names a node without members)" if one.declared_factors_ppm else ""
        return f" Dispatch is spread by ratings{declared}: {_shares(one.factors_ppm)}."
    far = ", ".join(f"{node} by ratings {one.factors_by_rating_ppm.get(node, 0) / 10_000:g} %"
                    for node in one.factors_far_off)  # fmt: skip
    return f" Dispatch is spread as declared: {_shares(one.factors_ppm)}{f'; far off: {far}' if far else ''}."


def _shares(ppm: Mapping[str, int]) -> str:
    return ", ".join(f"{node} {part / 10_000:g} %" for node, part in ppm.items()) or "no members"
