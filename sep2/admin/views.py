"""Rows of the database as the operator API shows them."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin import types as t
from sep2.operations.in_force import limits_in
from sep2.operations.issuing import limits_of
from sep2.operations.modes import curve_ids
from sep2.rules import curves, defaults, events, ratings
from sep2.rules.authority import COMMANDS, Holding, Program, Said, effective, said_by
from sep2.rules.limits import MODES
from sep2.rules.metering import ReadingSign
from sep2.rules.reach import not_carried, unsupported
from sep2.wire import DERCurveType, DERUnitRefType


def limits(row: Row[Any]) -> t.Limits:
    """The limits of a control or a default."""
    return t.Limits(
        import_w=row.import_limit_w, export_w=row.export_limit_w, gen_w=row.gen_limit_w, load_w=row.load_limit_w
    )


def client(row: Row[Any]) -> t.Client:
    """A client with the number of its devices."""
    return t.Client(
        lfdi=row.lfdi,
        name=row.name,
        kind=row.kind,
        profile=row.profile,
        registration=row.registration,
        pen=row.pen,
        receiver_hosts=row.receiver_hosts.split(),
        enabled=row.enabled,
        created=row.created,
        devices=row.devices,
    )


def device(row: Row[Any]) -> t.Device:
    """A device with its client and its connection."""
    return t.Device(**_of_device(row))


def device_shown(
    row: Row[Any], groups: list[t.InForce], holds: list[t.ModeInForce], documents: dict[str, int]
) -> t.DeviceShown:
    """A device with all that is known of it."""
    known = ratings.rating(row)
    return t.DeviceShown(
        **_of_device(row),
        pin=row.pin,
        post_rate=row.post_rate,
        device_category=row.device_category,
        floor=row.floor_rule,
        controllable_loads=row.controllable_loads,
        least_load_w=row.least_load_w,
        groups=groups,
        set_max_w=row.set_max_w,
        nameplate_w=row.nameplate_w,
        rating_w=known.watts,
        rating_doubt=known.doubt,
        in_force=holds,
        documents=documents,
    )


def served_default(
    row: Row[Any], names: Sequence[str], found: defaults.Served, modes: Mapping[str, Any], *, contract: Collection[str]
) -> t.ServedDefault:
    """The default of a device's first program as it is served; `group` is the first that says anything of it.

    names: of its groups. modes: as people read them. contract: the modes that the connection's contract may bound.
    """
    lacking = unsupported(row, found, by_default=True)
    shown = [
        t.ServedMode(
            name=name,
            value=modes.get(name, one.value),
            group=names[one.source] if one.source >= 0 else None,
            by="group" if one.source >= 0 else "contract" if name in contract else "default of the utility",
            unsupported=lacking.get(name, ""),
        )
        for name, one in found.items()
    ]
    first = min((one.source for one in found.values() if one.source >= 0), default=0)
    return t.ServedDefault(lfdi=row.lfdi, group=names[first] if names else None, modes=shown)


def _of_device(row: Row[Any]) -> dict[str, Any]:
    return {
        "lfdi": row.lfdi,
        "name": row.name,
        "sfdi": row.sfdi,
        "client": row.client_name,
        "client_lfdi": row.client_lfdi,
        "profile": row.profile,
        "connection_id": row.connection_name,
        "holds_net_limit": row.holds_net_limit,
        "claimed_connection": row.claimed_connection,
        "group": row.own_group,
        "enabled": row.enabled,
        "registered": row.registered,
        "make": row.make,
        "load_control_w": row.load_control_w,
    }


def in_force(
    groups: Sequence[Row[Any]], programs: Sequence[Program], now: int, curve_mrids: Mapping[int, str]
) -> list[t.InForce]:
    """What each group asks for: its controls that hold, and where they say nothing its default.

    Operators' programs of a single place are shown while they say something. `groups` are those of `programs`.
    """
    shown = []
    for group, program in zip(groups, programs, strict=True):
        found = effective([program], now)
        if not found and group.role in COMMANDS:
            continue
        latest = max((said for said in program.controls if said.start <= now < said.end), key=_made, default=None)
        shown.append(
            t.InForce(
                group=group.name,
                primacy=group.primacy,
                control=_mrid(latest.mrid) if latest else None,
                until=latest.end if latest else None,
                limits=t.Limits(**limits_in(found)._asdict()),
                modes=_modes(found, curve_mrids),
            )
        )
    return shown


def holdings(
    groups: Sequence[Row[Any]],
    programs: Sequence[Program],
    now: int,
    curve_mrids: Mapping[int, str],
    *,
    writers: Mapping[int, str],
    device: Row[Any],
) -> list[t.ModeInForce]:
    """What is in force for a device of all that its programs say, mode by mode.

    `groups` are those of `programs`, after which what bounds a device that no default bounds may follow. writers: the
    source of each control by its mRID. device: that device, as `device` takes it.
    """
    of = {program.mrid: group for group, program in zip(groups, programs, strict=False)}
    found = effective(programs, now)
    by_control = {mode for mode, one in found.items() if one.control is not None}
    lacking = unsupported(device, by_control) | unsupported(device, found.keys() - by_control, by_default=True)
    shown = []
    for mode, one in sorted(found.items()):
        group = of.get(one.program)
        source, name = "default", "" if group is None else group.name
        if one.control is not None and group is not None:
            source = said_by(group.role, writers.get(one.control)) or "group"
        value = _modes({mode: one}, curve_mrids).get(mode, one.value)
        control = None if one.control is None else _mrid(one.control)
        shown.append(
            t.ModeInForce(
                mode=mode,
                value=value,
                source=source,
                group=name,
                control=control,
                until=one.until,
                unsupported=lacking.get(mode, ""),
            )
        )
    return shown


def _made(said: Said) -> tuple[int, int]:
    return said.created, said.mrid


def _mrid(number: int) -> str:
    return f"{number:032X}"


def _modes(found: Mapping[str, Holding], curve_mrids: Mapping[int, str]) -> dict[str, Any]:
    """Modes beside the limits, with curves by their mRIDs."""
    modes = {mode: one.value for mode, one in found.items() if mode not in MODES}
    return modes | {name: curve_mrids[number] for name, number in curve_ids(modes).items()}


def connection(row: Row[Any]) -> t.Connection:
    """A connection with its own group and the device that holds its limits."""
    return t.Connection(
        connection_id=row.connection_id,
        description=row.description,
        place=row.place_name,
        firm_import_w=row.firm_import_w,
        firm_export_w=row.firm_export_w,
        protected=row.protected,
        group=row.group_name,
        device=row.device_lfdi,
        created=row.created,
    )


def group(row: Row[Any]) -> t.Group:
    """A group with the number of its devices."""
    return t.Group(
        name=row.name,
        mrid=row.program_mrid,
        level=row.level,
        primacy=row.primacy,
        description=row.description,
        connection_id=row.connection_name,
        devices=row.devices,
        created=row.created,
        role=row.role,
    )


def default(row: Row[Any], group_name: str, modes: dict[str, Any]) -> t.Default:
    """What holds for a group when no control is active."""
    return t.Default(
        group=group_name,
        mrid=row.mrid,
        limits=limits(row),
        modes=modes,
        set_grad_w=row.set_grad_w,
        set_soft_grad_w=row.set_soft_grad_w,
        enter_service=json.loads(row.enter_service),
        changed=row.changed,
    )


def curve(row: Row[Any]) -> t.Curve:
    """A curve of a group."""
    return t.Curve(**_of_curve(row))


def curve_made(row: Row[Any], *, new: bool) -> t.CurveMade:
    """A curve, and whether it is new."""
    return t.CurveMade(**_of_curve(row), new=new)


def _of_curve(row: Row[Any]) -> dict[str, Any]:
    relates = curves.KINDS[DERCurveType(row.kind)]
    names = ("open_loop_tms", "ramp_dec_tms", "ramp_inc_tms", "ramp_pt1_tms")
    references = ("v_ref", "autonomous_v_ref", "autonomous_v_ref_tms")
    return {
        "mrid": row.mrid,
        "name": row.name,
        "group": row.group_name,
        "kind": DERCurveType(row.kind).name,
        "points": [_point(row, *point) for point in json.loads(row.points)],
        "x_unit": relates.x.unit,
        "y_unit": relates.y.unit,
        "reference": DERUnitRefType(row.y_ref).name,
        "description": row.description,
        "created": row.created,
        "removed": row.removed,
        **{name: getattr(row, name) for name in (*names, *references)},
    }


def _point(row: Row[Any], x: int, y: int, excitation: bool | None = None) -> t.CurvePoint:
    return t.CurvePoint(x=curves.plain(x, row.x_multiplier), y=curves.plain(y, row.y_multiplier), excitation=excitation)


def control(row: Row[Any], modes: dict[str, Any], now: int, *, at_once: bool) -> t.Control:
    """A control with its EventStatus at `now`."""
    return t.Control(**_of_control(row, modes, now, at_once=at_once))


def control_shown(
    row: Row[Any], modes: dict[str, Any], reached: list[t.Reached], now: int, *, at_once: bool
) -> t.ControlShown:
    """A control with what its devices answered."""
    return t.ControlShown(
        **_of_control(row, modes, now, at_once=at_once),
        ramp_tms=row.ramp_tms,
        randomize_start=row.randomize_start,
        randomize_duration=row.randomize_duration,
        ends=row.latest_end,
        devices=reached,
    )


def _of_control(row: Row[Any], modes: dict[str, Any], now: int, *, at_once: bool) -> dict[str, Any]:
    facts: Any = row
    status, since = events.status(facts, now, superseded_at_once=at_once)
    return {
        "mrid": row.mrid,
        "group": row.group_name,
        "description": row.description,
        "created": row.created,
        "start": row.start,
        "duration": row.duration,
        "status": status,
        "status_since": since,
        "over": row.latest_end <= now,
        "limits": limits(row),
        "modes": modes,
        "source": row.source,
        "reason": row.reason,
    }


def reached(row: Row[Any], control: Row[Any], responses: Mapping[int, int]) -> t.Reached:
    """One device of a control; `note` says what its profile can not carry."""
    lost = not_carried(row, limits_of(control))
    note = f"profile csip can not carry the {' and '.join(lost)} limit" if lost else ""
    return t.Reached(
        lfdi=row.lfdi,
        client=row.client_name,
        connection_id=row.connection_name,
        responses=dict(responses),
        note=note,
    )


def subscription(row: Row[Any]) -> t.Subscription:
    """A subscription and what waits for it."""
    return t.Subscription(
        id=row.id,
        client=row.client_name,
        subscribed_resource=row.subscribed_resource,
        notification_uri=row.notification_uri,
        created=row.created,
        waiting_since=row.since,
        attempts=row.attempts or 0,
        due=row.due,
        dead=bool(row.dead),
        error=row.error or "",
    )


def mirror(row: Row[Any]) -> t.Mirror:
    """A MirrorUsagePoint as an operator sees it."""
    return t.Mirror(
        id=row.id,
        name=row.name,
        mrid=row.mrid,
        client=row.client_name,
        device=row.lfdi,
        description=row.description,
        role_flags=row.role_flags,
        post_rate=row.post_rate,
        reading_sign=ReadingSign(row.reading_sign),
        series=row.series,
        latest=row.latest,
    )


def entry(row: Row[Any]) -> t.Entry:
    """An entry of the audit log."""
    names = ("id", "at", "operator", "label", "via", "address", "request", "verb", "subject", "outcome", "hash")
    detail = msgspec.Raw(b"null" if row.detail is None else row.detail.encode())
    return t.Entry(**{name: getattr(row, name) for name in names}, detail=detail)
