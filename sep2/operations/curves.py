"""Curves of a group's program: made, linked to by modes of its controls and its default, removed; never edited."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import Conflict, NotFound
from sep2.operations import identifiers
from sep2.operations.groups import UnknownGroup
from sep2.operations.modes import BadMode, curve_ids
from sep2.rules import texts
from sep2.rules.curves import MODES, BadCurve, Curve, Scaled, check, scaled
from sep2.store import curves, groups, outbox
from sep2.store.connection import Connection

LONGEST_DESCRIPTION = 32


class UnknownCurve(NotFound):
    """There is no curve whose mRID begins so."""


class CurveInUse(Conflict):
    """A control that is not over, or a default, links to the curve."""


class CurveMade(NamedTuple):
    """The curve's id, and whether it is new: one that says the same stands only once."""

    id: int
    new: bool


async def create_curve(db: Connection, group_id: int, curve: Curve, now: int, *, description: str = "") -> CurveMade:
    """Give a group's program a curve; where one says the same already, that one is meant."""
    if await groups.locked(db, group_id) is None:
        raise UnknownGroup(str(group_id))
    if wrong := texts.misfit(description, LONGEST_DESCRIPTION):
        raise BadCurve(f"description: {wrong}")
    said = _columns(check(curve))
    w.check(on_wire(said, mrid="0" * 32, created=now, description=description), w.Profile.CSIP)
    return await _put(db, group_id, said, now, description=description)


async def adopt_curve(db: Connection, group_id: int, curve: Row[Any], now: int) -> int:
    """The id of a curve of another group's program, made known in this one."""
    said = {name: getattr(curve, name) for name in _SAID}
    return (await _put(db, group_id, said, now, description=curve.description)).id


async def _put(db: Connection, group_id: int, said: dict[str, Any], now: int, *, description: str) -> CurveMade:
    for known in await curves.standing(db, group_id):
        if all(getattr(known, name) == value for name, value in said.items()):
            return CurveMade(known.id, new=False)
    mrid = await identifiers.fresh(db)
    made = await curves.add(db, device_group_id=group_id, mrid=mrid, description=description, created=now, **said)
    await outbox.changed(db, "DERCurveList", derp=group_id)
    return CurveMade(made, new=True)


async def remove_curve(db: Connection, curve_id: int, now: int) -> None:
    """List a curve no longer; refused while a control that is not over, or the default, links to it."""
    known = await curves.one(db, curve_id)
    if known is None:
        raise UnknownCurve(str(curve_id))
    await groups.locked(db, known.device_group_id)
    row = await curves.one(db, curve_id)
    if row is None or row.removed is not None:
        raise UnknownCurve(known.mrid)
    default = await curves.modes_of_default(db, row.device_group_id)
    if default is not None and curve_id in _linked(default):
        raise CurveInUse(f"{row.mrid}: the default")
    for control in await curves.modes_of_controls(db, row.device_group_id, now):
        if curve_id in _linked(control):
            raise CurveInUse(f"{row.mrid}: control {control.mrid}")
    await curves.remove(db, curve_id, now)
    await outbox.changed(db, "DERCurveList", derp=row.device_group_id)


async def check_links(db: Connection, group_id: int, said: Sequence[Mapping[str, Any]]) -> None:
    """Refuse modes that link to a curve of another program or another type, or to none.

    The caller holds the group, so that the curve is not removed before what links to it is kept.
    """
    links = {(name, number) for modes in said for name, number in curve_ids(modes).items()}
    if not links:
        return
    known = {row.id: row for row in await curves.standing(db, group_id)}
    for name, number in sorted(links):
        row = known.get(number)
        if row is None:
            raise BadMode(f"{name}: that curve is none of this group's")
        if row.kind != MODES[name]:
            raise BadMode(f"{name}: curve {row.mrid} is of type {w.DERCurveType(row.kind).name}")


def on_wire(said: Mapping[str, Any], *, mrid: str, created: int, description: str, href: str = "") -> w.DERCurve:
    """A stored curve as a DERCurve."""
    return w.DERCurve(
        href=href or None,
        mRID=w.HexBinary(mrid),
        description=description or None,
        autonomousVRefEnable=said["autonomous_v_ref"],
        autonomousVRefTimeConstant=said["autonomous_v_ref_tms"],
        creationTime=created,
        CurveData=[_point(*point) for point in json.loads(said["points"])],
        curveType=w.DERCurveType(said["kind"]),
        openLoopTms=said["open_loop_tms"],
        rampDecTms=said["ramp_dec_tms"],
        rampIncTms=said["ramp_inc_tms"],
        rampPT1Tms=said["ramp_pt1_tms"],
        vRef=said["v_ref"],
        xMultiplier=said["x_multiplier"],
        yMultiplier=said["y_multiplier"],
        yRefType=w.DERUnitRefType(said["y_ref"]),
    )


def _point(x: int, y: int, excitation: bool | None = None) -> w.CurveData:
    return w.CurveData(xvalue=x, yvalue=y, excitation=excitation)


_SAID = (
    *("kind", "points", "x_multiplier", "y_multiplier", "y_ref", "open_loop_tms"),
    *("ramp_dec_tms", "ramp_inc_tms", "ramp_pt1_tms", "v_ref", "autonomous_v_ref", "autonomous_v_ref_tms"),
)
"""The columns of a curve, but for whose it is and when it was made."""


def _columns(curve: Curve) -> dict[str, Any]:
    """A curve as a row, but for whose it is and when it was made."""
    x = scaled((point.x for point in curve.points), "x")
    y = scaled((point.y for point in curve.points), "y")
    return {
        "kind": int(curve.kind),
        "points": json.dumps(_points(curve, x, y)),
        "x_multiplier": x.multiplier,
        "y_multiplier": y.multiplier,
        "y_ref": int(curve.y_ref),
        "open_loop_tms": curve.open_loop_tms,
        "ramp_dec_tms": curve.ramp_dec_tms,
        "ramp_inc_tms": curve.ramp_inc_tms,
        "ramp_pt1_tms": curve.ramp_pt1_tms,
        "v_ref": curve.v_ref,
        "autonomous_v_ref": curve.autonomous_v_ref,
        "autonomous_v_ref_tms": curve.autonomous_v_ref_tms,
    }


def _points(curve: Curve, x: Scaled, y: Scaled) -> list[list[int | bool]]:
    return [
        [x_value, y_value, *([] if point.excitation is None else [point.excitation])]
        for x_value, y_value, point in zip(x.values, y.values, curve.points, strict=True)
    ]


def _linked(row: Row[Any]) -> set[int]:
    return set(curve_ids(json.loads(row.modes)).values())
