"""How the envelope engine makes and releases its rounds, and where measurements are kept."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

DAY_S = 86_400
Age = Annotated[int, Meta(ge=60, le=7 * DAY_S)]
Percent = Annotated[float, Meta(ge=0, le=10_000)]


class Ages(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How old an input that is measured at all may be; with an older one a round may only tighten."""

    head_voltage_s: Age = 900
    """Voltage at the head of the feeder, of SCADA."""
    switch_states_s: Age = 900
    """States of switches, of SCADA."""
    devices_s: Age = 1800
    """Readings of a connection's devices; older ones hold back that connection alone."""


class Engine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the envelope engine makes and releases its rounds."""

    fast_round_s: Annotated[int, Meta(ge=60, le=3600)] = 300
    """Time between rounds of a rolling plan while readings or SCADA are fresh; else there is one each step."""
    ages: Ages = Ages()
    feeder_more_percent: Percent = 20
    """A round that lets out so much more than the feeder's highest of 30 days waits for an operator."""
    system_more_percent: Percent = 5
    """The same of the highest of all feeders together, where there are several."""
    return_s: Annotated[int, Meta(ge=0, le=4 * 3600)] = 3600
    """Time over which generation and controllable load return in stages after an outage; 0: at once."""
    cold_load_times: Annotated[float, Meta(ge=1, le=5)] = 2.0
    """How many times its forecast the demand after a long outage is at first."""
    records_s: Annotated[int, Meta(ge=DAY_S, le=40 * 366 * DAY_S)] = 400 * DAY_S
    """How long the inputs of every published number are kept, by which it can be calculated again."""


class Measurements(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where imported measurements are kept (`sep2 measurements`)."""

    folder: Path = Path("measurements")
    """Relative to the folder of `sep2.toml`; one that several servers on a database share is mounted on each."""
