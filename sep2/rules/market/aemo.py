"""Dispatch as AEMO reports it: table DISPATCH, UNIT_SOLUTION of its CSV reports, such as a participant's DISPATCHIS.

Source: AEMO's MMS data model (DISPATCHLOAD) and reports of nemweb.com.au. Times are market time, UTC+10 all year;
SETTLEMENTDATE ends an interval of five minutes; TOTALCLEARED is the target in MW at that end, which a unit goes to in a
straight line, and negative where it draws. Where there was an intervention, what holds is the run with it.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from sep2.rules.market.faults import Fault, refuse

TABLE = ("DISPATCH", "UNIT_SOLUTION")
NEEDED = ("SETTLEMENTDATE", "DUID", "DISPATCHINTERVAL", "INTERVENTION", "TOTALCLEARED")
MARKET_TIME = timezone(timedelta(hours=10))
INTERVAL_S = 300
W_PER_MW = 1_000_000


def read_rows(text: bytes) -> list[tuple[str, Mapping[str, object]]]:
    """Instructions by the number of their line: the fields of `dispatching.Instruction`; a broken report is refused."""
    try:
        lines = [row for row in csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")) if row]
    except (UnicodeDecodeError, csv.Error) as wrong:
        refuse([Fault("file", "bad_csv", "", str(wrong))])
    _refuse_cut_off(lines)
    issued = _moment(" ".join(lines[0][5:7]))
    columns: list[str] = []
    found: dict[tuple[str, str], tuple[int, str, Mapping[str, object]]] = {}
    for n, row in enumerate(lines, 1):
        if tuple(row[1:3]) != TABLE:
            continue
        if row[0] == "I":
            columns = row[4:]
            missing = [name for name in NEEDED if name not in columns]
            refuse([Fault(name, "missing_column", "", f"a column of {', '.join(TABLE)}") for name in missing])
        elif row[0] == "D" and columns:
            said = dict.fromkeys(NEEDED, "") | dict(zip(columns, row[4:], strict=False))
            key, run = (said["DUID"], said["SETTLEMENTDATE"]), int(said["INTERVENTION"] == "1")
            if key not in found or found[key][0] < run:
                found[key] = run, f"line {n}", _instruction(said, issued)
    refuse([] if columns else [Fault("file", "missing_table", "", f"a table {', '.join(TABLE)}")])
    return [(where, one) for _, where, one in found.values()]


def _refuse_cut_off(lines: Sequence[Sequence[str]]) -> None:
    """A report begins and ends with a line C; the last one counts all of them."""
    is_whole = len(lines) > 1 and lines[0][0] == "C" == lines[-1][0] and lines[-1][1:2] == ["END OF REPORT"]
    told = lines[-1][2] if is_whole and len(lines[-1]) > 2 else ""
    if told != str(len(lines)):
        refuse([Fault("file", "cut_off", told, f"a report whose last line is C,END OF REPORT,{len(lines)}")])


def _instruction(said: Mapping[str, str], issued: int | None) -> Mapping[str, object]:
    end = _moment(said["SETTLEMENTDATE"])
    start = None if end is None else end - INTERVAL_S
    changed = _moment(said.get("LASTCHANGED", "")) or issued or start
    return {
        "iso_dispatch_id": f"{said['DUID']} {said['DISPATCHINTERVAL']}",
        "iso_resource_id": said["DUID"],
        "issued_at": said["SETTLEMENTDATE"] if changed is None else changed,
        "start": said["SETTLEMENTDATE"] if start is None else start,
        "end": said["SETTLEMENTDATE"] if end is None else end,
        "target_w": _watts(said["TOTALCLEARED"]),
        "kind": "dispatch",
        "ramp_s": INTERVAL_S,
    }


def _moment(text: str) -> int | None:
    """Epoch seconds of `2027/06/01 16:05:00` in market time; None: it is none."""
    try:
        return int(datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=MARKET_TIME).timestamp())
    except ValueError:
        return None


def _watts(text: str) -> object:
    try:
        return round(float(text) * W_PER_MW)
    except (ValueError, OverflowError):
        return text
