"""Alarms that a round raises and clears."""

from __future__ import annotations

from collections.abc import Sequence

from envelope.operation.assumptions import SWITCHED, ViolatedAssumption
from envelope.operation.input_ages import InputAge
from envelope.schedule import findings
from sep2.store import alarms
from sep2.store.connection import Connection

FAILED, UNVERIFIED, INVALID = "envelope_failed", "envelope_unverified", "envelope_invalid"
TOPOLOGY = "topology_abnormal"
BASE, FIRM, LOOSE = "envelope_infeasible_base", "infeasible_firm", "default_looser_than_envelope"
NO_SAFE, UNREGISTERED, NO_CLIENT = "no_safe_limits", "unregistered_device", "no_client"
OPERATOR, NOT_FOLLOWED = "operator_control", "mode_not_followed"
WAITS, LATE, METERS = "envelope_waits", "inputs_late", "measurements_ending"
EXTRACT = "feeder_extract"
DRIFT = "forecast_drift"
SETPOINT = "setpoint_not_kept"
CODE_OF_FINDING = {
    findings.BASE: BASE,
    findings.FIRM: FIRM,
    findings.LOOSE: LOOSE,
    findings.NO_SAFE: NO_SAFE,
    findings.NO_CLIENT: NO_CLIENT,
    findings.NOT_FOLLOWED: NOT_FOLLOWED,
}
CODES = {
    FAILED,
    UNVERIFIED,
    INVALID,
    TOPOLOGY,
    UNREGISTERED,
    OPERATOR,
    WAITS,
    LATE,
    METERS,
    EXTRACT,
    DRIFT,
    SETPOINT,
    *CODE_OF_FINDING.values(),
}
"""All codes of the engine."""


async def set_alarm(db: Connection, code: str, subject: str, detail: str, *, now: int) -> None:
    """Raise an alarm, or clear it where the detail is empty."""
    if detail:
        await alarms.raise_one(db, code, subject, detail, now=now)
    else:
        await alarms.clear(db, code, subject, now)


async def set_assumption_alarms(db: Connection, violated: Sequence[ViolatedAssumption], subject: str, now: int) -> None:
    """Raise the alarms of assumptions that do not hold; how the feeder is switched has one of its own."""
    switched = [one.detail for one in violated if one.assumption == SWITCHED]
    others = [str(one) for one in violated if one.assumption != SWITCHED]
    await set_alarm(db, TOPOLOGY, subject, "; ".join(switched), now=now)
    await set_alarm(db, INVALID, subject, "; ".join(others), now=now)


async def set_input_alarms(
    db: Connection, subject: str, late: Sequence[InputAge], *, meters: str, drift: str, now: int
) -> None:
    """Raise, or clear, the alarms of inputs that are late, measurements that end and a forecast that drifts."""
    said = "; ".join(one.sentence() for one in late)
    await set_alarm(db, LATE, subject, said and f"{said}: limits only tighten", now=now)
    await set_alarm(db, METERS, subject, meters, now=now)
    await set_alarm(db, DRIFT, subject, drift, now=now)


async def clear_alarms(db: Connection, codes: Sequence[str], subject: str, now: int) -> None:
    """Clear alarms of these codes."""
    for code in codes:
        await alarms.clear(db, code, subject, now)


async def set_finding_alarms(db: Connection, found: Sequence[str], subject: str, now: int) -> None:
    """Raise an alarm for each kind of finding, and clear those of kinds that were not found."""
    for finding, code in CODE_OF_FINDING.items():
        await set_alarm(db, code, subject, findings.with_code(found, finding), now=now)


async def set_unregistered_alarms(db: Connection, beyond: dict[str, str], now: int) -> None:
    """Raise an alarm for connections whose measured power exceeds their capacity: an unregistered device is likely.

    beyond: by connection, the excess; empty where there is none, which clears the alarm.
    """
    if not beyond:
        return
    standing = {row.subject for row in await alarms.standing(db) if row.code == UNREGISTERED}
    for name, detail in beyond.items():
        if detail or name in standing:
            await set_alarm(db, UNREGISTERED, name, detail, now=now)
