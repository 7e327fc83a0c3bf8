"""Plants without IEEE 2030.5: their limits go out as signed set-points, and are judged by their SCADA meters.

`envelope-plants.csv` beside the plan has a row for each: connection_id (of the server and the feeder) and meter, the
SCADA element whose net import it is. The limits are controls of the connection's own program like all others, so that
receivers of topic `controls` are told of them by a signed webhook; and there is a file for each plant, signed alike.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from envelope.operation.measurements import Measured, Quantity
from envelope.operation.plan_folders import FEEDERS, mark_of
from envelope.operation.round_alarms import SETPOINT
from gridmodel.readers.encodings import encoding_of
from gridmodel.readers.meant import slip_of
from sep2.errors import BadRequest
from sep2.operations import state_out
from sep2.operations.alarms import Wanted, set_alarms
from sep2.operations.controls import limits_of
from sep2.rules.events import held
from sep2.rules.limits import Limits
from sep2.rules.told_times import told_span
from sep2.rules.webhooks import new_secret, signed
from sep2.store import alarms, connections, controls, defaults, marks
from sep2.store.connection import Connection

FILE, FOLDER, SECRET = "envelope-plants.csv", "setpoints", "secret"
COLUMNS = ("connection_id", "meter")
MARK = "envelope.plants"
TOLERANCE_W, TOLERANCE_SHARE = 100.0, 0.02
LATE_S = 1800
"""Time without a reading from which it is not known whether a set-point is kept."""
IN_A_ROW = 2


class BadPlants(BadRequest):
    """The list of plants without IEEE 2030.5 can not be used."""


class Plant(NamedTuple):
    """A plant, and the SCADA element that measures its net import."""

    connection_id: str
    meter: str


class PlantJudgement(NamedTuple):
    """How a plant kept its set-points in the time that measurements are read of."""

    plant: Plant
    kept: int
    """intervals"""
    beyond: int
    detail: str = ""
    """how it is beyond now; empty: it is not, as far as it is known"""
    is_known: bool = True

    def sentence(self) -> str:
        """Return it in words."""
        name, known = self.plant.connection_id, self.kept + self.beyond
        if not self.is_known:
            return f"plant {name}: nothing of {self.plant.meter} for {LATE_S // 60} min: not known whether it is kept"
        return f"plant {name}: set-points kept in {self.kept} of {known} intervals"


def read(folder: Path) -> tuple[Plant, ...]:
    """Return the plants of a server's folder; none without a file."""
    try:
        content = (folder / FILE).read_bytes()
        return parsed(content.decode(encoding_of(content)))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise BadPlants(f"{FILE}: {wrong}") from None


def parsed(text: str) -> tuple[Plant, ...]:
    """Return the plants of a CSV file."""
    rows = csv.DictReader(io.StringIO(text))
    columns = rows.fieldnames or ()
    if slip := slip_of(columns, COLUMNS):
        raise BadPlants(f"{FILE}: {slip}")
    if missing := [name for name in COLUMNS if name not in columns]:
        raise BadPlants(f"{FILE}: column {missing[0]} is missing; expected {', '.join(COLUMNS)}")
    found: dict[str, Plant] = {}
    for number, row in enumerate(rows, 2):
        one = Plant(*((row[name] or "").strip() for name in COLUMNS))
        if not all(one):
            raise BadPlants(f"{FILE}, row {number}: {COLUMNS[one.index('')]} is empty")
        if one.connection_id in found:
            raise BadPlants(f"{FILE}, row {number}: connection_id: {one.connection_id} stands twice")
        found[one.connection_id] = one
    return tuple(found.values())


async def known(db: Connection, plan: str | None = None) -> tuple[Plant, ...]:
    """Return the plants as the latest rounds read them.

    plan: of this plan only, by its folder's name below `feeders`, empty for the server's own; None: of all plans.
    """
    if plan is None:
        several = list((await marks.starting_with(db, MARK)).values())
    else:
        several = [await marks.value(db, mark_of(MARK, plan)) or "[]"]
    return tuple(Plant(*one) for said in several for one in json.loads(said))


async def keep(db: Connection, plants: Sequence[Plant], plan: str = "") -> None:
    """Have these plants count as those of a plan."""
    mark = mark_of(MARK, plan)
    if (after := json.dumps(plants)) != (await marks.value(db, mark) or "[]"):
        await marks.put(db, mark, after)


async def unknown(db: Connection, plants: Sequence[Plant]) -> str:
    """Return which plant's connection the server does not have; empty: none."""
    for one in plants:
        if await connections.by_name(db, one.connection_id) is None:
            return f"{FILE}: connection_id: the server has no connection {one.connection_id}"
    return ""


async def set_plant_alarms(
    db: Connection, judged: Sequence[PlantJudgement], wrong: str, now: int, *, plan: str = ""
) -> None:
    """Have the alarms stand about a plan's plants beyond their set-points, and about a list that is wrong."""
    file = f"{FEEDERS}/{plan}/{FILE}" if plan else FILE
    own = {one.plant.connection_id for one in judged}
    others = {one.connection_id for one in await known(db)} - own
    wanted = {one.plant.connection_id: Wanted(one.detail) for one in judged if one.detail}
    hidden = {one.plant.connection_id for one in judged if not one.is_known}
    for row in await alarms.standing_of(db, SETPOINT):
        is_other = row.subject in others or (row.subject.endswith(FILE) and row.subject != file)
        if row.subject in hidden or is_other:
            wanted[row.subject] = Wanted(row.detail)
    await set_alarms(db, SETPOINT, wanted | ({file: Wanted(wrong)} if wrong else {}), now)


async def judge(
    db: Connection, plants: Sequence[Plant], measured: Iterable[Measured], now: int
) -> list[PlantJudgement]:
    """Return how plants kept the limits of their own programs, by the means of their meters."""
    of_meter: dict[str, list[Measured]] = {}
    for one in measured:
        if one.quantity is Quantity.POWER:
            of_meter.setdefault(one.place, []).append(one)
    return [await _judged(db, plant, sorted(of_meter.get(plant.meter, ()), key=_end), now) for plant in plants]


def _end(one: Measured) -> int:
    return one.end


async def _judged(db: Connection, plant: Plant, readings: Sequence[Measured], now: int) -> PlantJudgement:
    group = await _group(db, plant)
    if group is None or not readings or readings[-1].end <= now - LATE_S:
        return PlantJudgement(plant, 0, 0, is_known=False)
    rows = await controls.not_over(db, group, readings[0].start)
    spans = [(*span, limits_of(row)) for row in rows if (span := held(row, row.latest_end, superseded_at_once=True))]
    default = await defaults.of_group(db, group)
    said = [_beyond(one, spans, Limits() if default is None else limits_of(default)) for one in readings]
    last = said[-IN_A_ROW:]
    detail = last[-1] if len(last) == IN_A_ROW and all(last) else ""
    beyond = sum(map(bool, said))
    return PlantJudgement(plant, len(said) - beyond, beyond, detail)


def _beyond(one: Measured, spans: Sequence[tuple[int, int, Limits]], default: Limits) -> str:
    """Return how a mean exceeds the loosest limit of its time; empty: it does not."""
    within = [limits for start, end, limits in spans if start < one.end and end > one.start]
    within = within or [default]
    for word, value, several in (
        ("import", one.value, [limits.import_w for limits in within]),
        ("export", -one.value, [limits.export_w for limits in within]),
    ):
        bounds = [watts for watts in several if watts is not None]
        if len(bounds) < len(several):
            continue
        most = max(bounds)
        if value > most + max(TOLERANCE_W, TOLERANCE_SHARE * most):
            return f"{word} {value:.0f} W {told_span(one.start, one.end)}, {most} W allowed"
    return ""


async def _group(db: Connection, plant: Plant) -> int | None:
    row = await connections.by_name(db, plant.connection_id)
    return None if row is None else int(row.device_group_id)


async def state_of(db: Connection, plant: Plant, now: int) -> dict[str, object]:
    """Return what a plant is asked for now and next, as topic `controls` says it."""
    group = await _group(db, plant)
    found = None if group is None else await state_out.of_group(db, group, now)
    return {} if found is None else found


def write(folder: Path, states: dict[str, dict[str, object]], now: int) -> list[str]:
    """Write the set-points that changed, each with the headers that sign it; return their connections.

    The headers are those of Standard Webhooks: HMAC-SHA256 with the secret in `setpoints/secret`, which is made once.
    """
    home = folder / FOLDER
    home.mkdir(mode=0o700, exist_ok=True)
    secret, written = _secret(home / SECRET), []
    for name, state in states.items():
        path = home / f"{quote(name, safe='')}.json"
        body = json.dumps({"type": "setpoints", "data": state}, separators=(",", ":")).encode()
        if path.exists() and path.read_bytes() == body:
            continue
        headers = signed(secret, f"setpoints_{quote(name, safe='')}_{now}", now, body)
        # The signature first: who reads in between finds one that does not fit, and reads again.
        _replace(path.with_suffix(".headers.json"), json.dumps(dict(headers)).encode())
        _replace(path, body)
        written.append(name)
    return written


def _secret(path: Path) -> str:
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new_secret() + "\n")
    return path.read_text().strip()


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
