"""What an override of an aggregation does, or would do, in words and DER by DER."""

from collections.abc import Sequence
from typing import Any

from sep2.admin.types import market_overrides as t
from sep2.cli import effects
from sep2.cli.show import show
from sep2.cli.units import shown_power, shown_time
from sep2.rules.market.curtailment import Effect
from sep2.terminal import Lines, shown

DERS = ("DER", "connection", "export before", "export then", "import before", "import then", "planned, lost")


def show_market_effect(done: t.MarketOverrideSent) -> None:
    """Print an override of an aggregation that was sent, or would be."""
    show(done, Lines("\n".join([effects.said(done), *_lines(done)])), columns=DERS, rows=_ders(done.effect.ders))


def _lines(done: t.MarketOverrideSent) -> list[str]:
    parts = ", ".join(f"{name.removesuffix('_w')} {ppm / 10_000:g} %" for name, ppm in done.effect.fraction_ppm.items())
    said = [f"Of what each of its members can reach it leaves {parts}; {_alike(done.effect)}."] if parts else []
    said.append(f"Planned energy that it makes impossible: {done.effect.lost_wh} Wh.")
    if done.effect.not_reached:
        names = ", ".join(done.effect.not_reached[:10])
        said.append(f"No device, only their aggregator: {names}.")
    whom: dict[str, list[int]] = {}
    for one in done.notices:
        whom.setdefault(one.party, []).append(one.due)
    said += [f"{party} is told at {', '.join(map(shown_time, dues))}." for party, dues in whom.items()]
    if done.reason_due is not None:
        said.append(f"Say why by {shown_time(done.reason_due)}: sep2 override explain {done.id} --reason …")
    return [shown(line, 4000) for line in said]


def _alike(effect: Effect) -> str:
    """Whether all DERs that are alike get the same, as far as it is known which are."""
    if not effect.like_for_like:
        return "not all that are alike get the same"
    if effect.alike is None:
        return (
            "members that are alike get the same; others were not looked at, as --binding names no place of the network"
        )
    return "all that are alike get the same"


def _ders(found: Sequence[Any]) -> list[tuple[str, ...]]:
    return [
        (
            one.der,
            one.connection,
            *map(shown_power, (one.export_before_w, one.export_after_w, one.import_before_w, one.import_after_w)),
            f"{one.lost_wh} Wh",
        )
        for one in found
    ]
