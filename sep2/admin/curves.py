"""Curves: made, listed, removed; and the modes that link to them, which operators name by mRID."""

import json
from collections.abc import Mapping
from typing import Any

from sep2.admin import find, views
from sep2.admin import types as t
from sep2.operations import curves
from sep2.operations.modes import BadMode, curve_ids
from sep2.rest.route import Request, listed, page
from sep2.rules.curves import MODES, Curve, Point
from sep2.store import curves as stored_curves
from sep2.store import listing_curves
from sep2.wire import DERCurveType, DERUnitRefType


async def list_curves(rq: Request, asked: t.CurveQuery) -> t.Listed[t.Curve]:
    """Curves, of one group if so asked, newest first."""
    group = await find.group(rq.db, asked.group) if asked.group else None
    found = await listing_curves.all_of(rq.db, page(asked), group_id=group.id if group else None)
    return listed(found, [views.curve(row) for row in found.rows])


async def show_curve(rq: Request, asked: t.Nothing) -> t.Curve:
    """One curve, by the beginning of its mRID; also one that is removed."""
    return views.curve(await find.curve(rq.db, rq.ids["curve"]))


async def create_curve(rq: Request, asked: t.NewCurve) -> t.CurveMade:
    """The group's curve that says so."""
    group = await find.group(rq.db, rq.ids["group"])
    new = Curve(
        kind=DERCurveType[asked.kind],
        points=[Point(point.x, point.y, point.excitation) for point in asked.points],
        reference=None if asked.reference is None else DERUnitRefType[asked.reference],
        open_loop_tms=asked.open_loop_tms,
        ramp_dec_tms=asked.ramp_dec_tms,
        ramp_inc_tms=asked.ramp_inc_tms,
        ramp_pt1_tms=asked.ramp_pt1_tms,
        v_ref=asked.v_ref,
        autonomous_v_ref=asked.autonomous_v_ref,
        autonomous_v_ref_tms=asked.autonomous_v_ref_tms,
    )
    made = await curves.create_curve(rq.db, group.id, new, rq.now, description=asked.description)
    mrids = await stored_curves.mrids(rq.db, [made.id])
    return views.curve_made(await find.curve(rq.db, mrids[made.id]), new=made.new)


async def remove_curve(rq: Request, asked: t.Nothing) -> t.Curve:
    """The curve that is removed; refused while a control that is not over, or the default, links to it."""
    row = await find.curve(rq.db, rq.ids["curve"])
    await curves.remove_curve(rq.db, row.id, rq.now)
    return views.curve(await find.curve(rq.db, row.mrid))


async def taken_modes(rq: Request, modes: Mapping[str, Any]) -> dict[str, Any]:
    """Modes as they are stored: a curve that is named by the beginning of its mRID is known by its id."""
    stored = dict(modes)
    for name in modes.keys() & MODES.keys():
        if not isinstance(modes[name], str):
            raise BadMode(f"{name}: is the mRID of a curve, in quotes")
        stored[name] = (await find.curve(rq.db, modes[name])).id
    return stored


async def shown_modes(rq: Request, *stored: str) -> list[dict[str, Any]]:
    """Stored modes as operators read them: curves by their mRIDs."""
    several: list[dict[str, Any]] = [json.loads(modes) for modes in stored]
    ids = {number for modes in several for number in curve_ids(modes).values()}
    known = await stored_curves.mrids(rq.db, sorted(ids)) if ids else {}
    return [modes | {name: known[number] for name, number in curve_ids(modes).items()} for modes in several]
