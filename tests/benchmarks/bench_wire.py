"""The wire codec.

A DERControlList of 100 controls with import and export limits, as an aggregator polls it, and the reading that a meter
posts: written and read by ours, by the two independent Python libraries (envoy-schema on pydantic-xml, py20305 on
xsdata), and by bare lxml, which only builds or writes a tree and knows no types. All read each other's documents.
Processor time; rounds alternate between them, and the best of each counts, since other work only ever slows one down.
What is loaded is frozen before, so that none pays for the collector walking through the others.
The time to import is that of a fresh process with its bytecode compiled before.
"""

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import py20305.models.sep.sep
from envoy_schema.server.schema.sep2.der import DERControlListResponse
from envoy_schema.server.schema.sep2.metering_mirror import MirrorMeterReadingListRequest
from lxml import etree
from py20305.xml.serialization import from_xml, to_xml

from sep2 import wire as w
from tests.benchmarks.table import Row

ROUNDS = 9
SECONDS = 0.12
"""How long each is repeated in a round."""
CONTROLS = 100
PROFILE = w.Profile.CSIP_AUS_1_2
PROFILE_OF_ENVOY = w.Profile.CSIP_AUS_1_3
Call = Callable[[], object]


def rows() -> list[Row]:
    """Times of writing and reading, throughput, and the time to import."""
    return [*_control_rows(), *_reading_rows(), *_import_rows()]


def controls() -> w.DERControlList:
    """One page of a day's limits."""
    return w.DERControlList(
        href="/edev/1/derp/1/derc",
        subscribable=1,
        all=CONTROLS,
        DERControl=[_control(number) for number in range(CONTROLS)],
    )


def _control(number: int) -> w.DERControl:
    start = 1_700_000_000 + 300 * number
    return w.DERControl(
        href=f"/edev/1/derp/1/derc/{number}",
        replyTo="/rsps/1/rsp",
        responseRequired=w.HexBinary("03"),
        mRID=w.HexBinary(number << 32 | 0x00032473, 16),
        description="limits",
        creationTime=1_700_000_000,
        EventStatus=w.EventStatus(currentStatus=0, dateTime=1_700_000_000, potentiallySuperseded=False),
        interval=w.DateTimeInterval(duration=300, start=start),
        DERControlBase=w.DERControlBase(
            opModImpLimW=w.ActivePower(multiplier=0, value=5000 + number),
            opModExpLimW=w.ActivePower(multiplier=0, value=1500 + number),
        ),
    )


def _reading() -> w.MirrorMeterReadingList:
    interval = w.DateTimeInterval(duration=300, start=1_700_000_000)
    reading = w.Reading(timePeriod=interval, value=-1234)
    mrid = w.HexBinary(7 << 32 | 0x00032473, 16)
    return w.MirrorMeterReadingList(all=1, MirrorMeterReading=[w.MirrorMeterReading(mRID=mrid, Reading=reading)])


def _control_rows() -> list[Row]:
    page = controls()
    document, theirs = w.encode(page, PROFILE), w.encode(page, PROFILE_OF_ENVOY)
    tree = etree.fromstring(document)
    envoy: Any = DERControlListResponse.from_xml(theirs)
    model: Any = py20305.models.sep.sep.DercontrolList
    other: Any = from_xml(document, model)
    writing = _best(
        {
            "ours": lambda: w.encode(page, PROFILE),
            "envoy-schema (pydantic-xml)": lambda: envoy.to_xml(
                skip_empty=False, exclude_none=True, exclude_unset=True
            ),
            "py20305 (xsdata)": lambda: to_xml(other, include_csipaus=True),
            "bare lxml": lambda: etree.tostring(tree),
        }
    )
    reading = _best(
        {
            "ours": lambda: w.decode(document, w.DERControlList, profile=PROFILE),
            "envoy-schema (pydantic-xml)": lambda: DERControlListResponse.from_xml(theirs),
            "py20305 (xsdata)": lambda: from_xml(document, model),
            "bare lxml": lambda: etree.fromstring(document),
        }
    )
    megabytes = len(document) / 1e6
    return [
        *_beside(f"write {CONTROLS} DERControls", writing, 1e3, "ms"),
        *_beside(f"read {CONTROLS} DERControls", reading, 1e3, "ms"),
        Row(name="write", ours=megabytes / writing["ours"], unit="MB/s"),
        Row(name="write", ours=CONTROLS / writing["ours"], unit="controls/s"),
        Row(name="read", ours=megabytes / reading["ours"], unit="MB/s"),
        Row(name="read", ours=CONTROLS / reading["ours"], unit="controls/s"),
    ]


def _reading_rows() -> list[Row]:
    document = w.encode(_reading(), PROFILE)
    model: Any = py20305.models.sep.sep.MirrorMeterReadingList
    times = _best(
        {
            "ours": lambda: w.decode(document, w.MirrorMeterReadingList, profile=PROFILE),
            "envoy-schema (pydantic-xml)": lambda: MirrorMeterReadingListRequest.from_xml(document),
            "py20305 (xsdata)": lambda: from_xml(document, model),
            "bare lxml": lambda: etree.fromstring(document),
        }
    )
    return _beside("read one posted reading", times, 1e6, "µs")


def _import_rows() -> list[Row]:
    modules = {"ours": "sep2.wire", "envoy-schema": "envoy_schema.server.schema.sep2.der", "lxml": "lxml.etree"}
    with tempfile.TemporaryDirectory() as compiled:
        for module in modules.values():
            _import_seconds(module, compiled)
        found = {
            name: min(_import_seconds(module, compiled) for _ in range(ROUNDS)) for name, module in modules.items()
        }
    return _beside("import", found, 1e3, "ms")


def _import_seconds(module: str, compiled: str) -> float:
    code = f"import time; began = time.process_time(); import {module}; print(time.process_time() - began)"
    around = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=around | {"PYTHONPYCACHEPREFIX": compiled}, check=True, stdout=subprocess.PIPE
    )
    return float(done.stdout)


def _beside(name: str, seconds: dict[str, float], scale: float, unit: str) -> list[Row]:
    """One row for each reference."""
    ours = seconds["ours"] * scale
    return [
        Row(name=name, ours=ours, unit=unit, reference_name=reference, reference=theirs * scale, better="less")
        for reference, theirs in seconds.items()
        if reference != "ours"
    ]


def _best(calls: dict[str, Call]) -> dict[str, float]:
    """Seconds of one call of each."""
    gc.collect()
    gc.freeze()
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            best[name] = min(best[name], _round(call))
    return best


def _round(call: Call) -> float:
    """The quickest of the calls that fit in one round."""
    quickest, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = time.process_time()
        call()
        quickest = min(quickest, time.process_time() - began)
    return quickest
