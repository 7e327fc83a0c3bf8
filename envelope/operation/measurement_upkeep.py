"""Retention of imported measurements inside the server, and their erasure with a connection's."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from envelope.operation.plan_folders import all_in
from gridmodel.meter_data.store import MeasurementStore
from gridmodel.meter_data.upkeep import erase, forget_before

if TYPE_CHECKING:
    from sep2.extension import State
    from sep2.settings import Settings

NAME = "measurement_upkeep"
EVERY_S = 6 * 3600
RECORDS = "envelope-records"
"""Folder of the records of runs, beside the plan."""
log = logging.getLogger(__name__)


async def work(state: State) -> None:
    """Delete, every few hours, the days of measurements that are older than the utility keeps them."""
    store = MeasurementStore(state.settings.measurements.folder)
    while True:
        now, steps = state.clock.now(), state.clock.steps
        if await state.db.leads():
            try:
                await asyncio.to_thread(forget_old, store, now - state.settings.utility.retention.measurements_s)
                await asyncio.to_thread(_forget_records, state, now)
            except Exception:
                log.exception("old measurements in %s could not be deleted", store.folder)
        # Nothing waits for it: a clock that is moved by hand need not stop here.
        state.reached.pop(NAME, None)
        await state.clock.sleep_until(now + EVERY_S, steps=steps)


def _forget_records(state: State, now: int) -> None:
    """Delete inputs of published numbers that are older than the settings keep them."""
    for plan in all_in(Path(state.settings.operator.token_file).parent):
        if (plan / RECORDS).is_dir():
            from envelope.operation.run_store import RunStore

            RunStore(plan / RECORDS).forget_before(now - state.settings.engine.records_s)


def forget_old(store: MeasurementStore, before: int) -> int:
    """Delete the whole days before a time, epoch seconds; return their number."""
    return forget_before(store, datetime.fromtimestamp(max(before, 0), UTC).date())


async def erase_connection(settings: Settings, connection_id: str) -> int:
    """Delete every stored value of a connection, and its forecasts; return the number of values."""
    return await asyncio.to_thread(_erase, settings, connection_id)


def _erase(settings: Settings, connection_id: str) -> int:
    store = MeasurementStore(settings.measurements.folder)
    count = erase(store, connection_id) if store.exists else 0
    for plan in all_in(Path(settings.operator.token_file).parent):
        # The next round makes it anew, without the connection's readings.
        (plan / "envelope-forecast.npz").unlink(missing_ok=True)
        if (plan / RECORDS).is_dir():
            from envelope.operation.run_erasure import erase_forecasts
            from envelope.operation.run_store import RunStore

            count += erase_forecasts(RunStore(plan / RECORDS), connection_id)
    return count
