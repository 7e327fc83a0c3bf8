"""Feeders with a day of their own: what the engine is told of it, and what happens in it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from envelope import EnvelopeSchedule, Guarantee, OperatingLimits, Problem
from envelope.problem import Allocation
from envelope.problem.scenarios import of_day
from gridmodel import read_feeder, reduce
from gridmodel.readers.example_feeders import US_SERVICE
from tests.independent import published, raw
from tests.independent.circuit import Circuit
from tests.independent.search import Box, Effort, Search, States

REPOSITORY = Path(__file__).parents[2]
FINE_S, STEP_S, START = 300, 1800, 1_780_012_800
SUBSTEPS = STEP_S // FINE_S
DECLARED = {"declared_share": 0.8, "declared_by": "A. Engineer"}
SUN = (1.0, 0.7, 0.3, 0.0)
"""parts of the clear sky under which homes within a declared band are judged, the same for all"""
BREACHED, TRACES = 2, np.array([0.06, 0.06, 0.6])
"""largest status of an interval beyond its limits by itself, and V, V, percent that limits may add to that as traces"""


class Reading(StrEnum):
    """How "between its import and its export limit" is read; what a guarantee's sentence says of bands decides."""

    LIMITS = "limits"
    """with bands: the net power of whoever has limits is anywhere between them that the home, anywhere within its band
    of that half-hour, and its devices can bring it to; a charger that is limited draws up to that beside its home"""
    DEVICES = "devices"
    """without: its home draws what it draws at that moment, and its devices do anything that they can and the limits
    let them"""


@dataclass(frozen=True)
class Case:
    """A feeder, the engine's problem, and the day that it is judged by."""

    name: str
    circuit: Circuit
    problem: Problem
    day: States
    """what happens, every five minutes"""
    extremes: States | None
    """the day's deviations within each interval put together at their worst: demand, passive solar, head voltage;
    None where nothing moves"""
    substeps: int = SUBSTEPS
    """states of the day in an interval"""

    def under(self, guarantee: Guarantee, allocation: Allocation, reading: Reading) -> "Case":
        """The same with a policy, and a sentence that is read in this way."""
        scenarios = self.problem.scenarios
        if scenarios is not None:
            scenarios = replace(scenarios, bands=reading is Reading.LIMITS)
        declared = DECLARED if guarantee is Guarantee.DECLARED_BAND else {}
        given = {"guarantee": guarantee, "allocation": allocation, "scenarios": scenarios, **declared}
        problem = replace(self.problem, **given)
        return replace(self, problem=problem)

    def boxes(self, limits: published.Published, states: States, reading: Reading) -> list[Box]:
        """Everything that the problem's guarantee covers."""
        problem, own, step = self.problem, states.own_va.real, states.step
        within = np.array([int(name.rsplit("+", 1)[1]) if "+" in name else 0 for name in states.name])
        late = (within * problem.step_s // self.substeps < problem.adoption_s) & (step > 0)
        imports, exports = limits.loosest(step, late)
        generates, draws = problem.flex_gen_w[step], problem.flex_load_w[step]
        told = ((problem.flex_gen_w > 0.0) | (problem.flex_load_w > 0.0)).any(axis=0)
        top, bottom = own, own
        if reading is Reading.LIMITS:
            # No limit of load says where its home may be.
            net = (told & ~(limits.of_charger & ~(problem.flex_gen_w > 0.0).any(axis=0)), told & ~limits.of_charger)
            bands = problem.load_lo_w, problem.load_hi_w
            top, bottom = (np.where(who, -table[step], own) for who, table in zip(net, bands, strict=True))
        # A limit bounds devices; what the home draws beyond it, no device can give back.
        high = np.where(generates > 0.0, np.maximum(np.minimum(exports, top + generates), top), top)
        low = np.where(draws > 0.0, np.minimum(np.maximum(-imports, bottom - draws), bottom), bottom)
        low = np.where(limits.of_charger, bottom - np.minimum(imports, draws), low)
        if problem.guarantee is Guarantee.TWO_SIDED:
            return [Box(low, high)]
        if problem.guarantee is Guarantee.DECLARED_BAND:
            share, tight = float(problem.declared_share or 0.0), limits.tightest_export(step, late)
            found = []
            for sun in SUN:
                gen = sun * generates
                most = np.where(generates > 0.0, np.minimum(high, np.maximum(top + gen, top)), high)
                feeds = share * np.minimum(gen, np.maximum(tight - own + draws, 0.0))
                least = np.where(generates > 0.0, np.maximum(low, own - draws + feeds), low)
                found.append(Box(np.minimum(least, most), most))
            return found
        if problem.guarantee is Guarantee.ONE_SIDED:
            return [Box(own, np.maximum(high, own)), Box(np.minimum(low, own), own)]
        return [Box(low, high, together=True)]

    def limits_of(self, schedule: EnvelopeSchedule, file: Path) -> published.Published:
        """The limits of a schedule, by way of the table that it is published as."""
        schedule.to_frame(merged=True).to_csv(file)
        names = tuple(port.customer for port in self.circuit.ports)
        defaults = schedule.default_import_w, schedule.default_export_w
        return published.read(file, names, np.asarray(schedule.step_start), defaults, early=schedule.early_s > 0)

    def beyond(
        self, schedule: EnvelopeSchedule, limits: published.Published, states: States, reading: Reading, effort: Effort
    ) -> tuple[Search, np.ndarray]:
        """What a search finds, and (3, K) how far the worst of each kind is beyond what is permitted in each state.

        In intervals that a schedule names as beyond a limit by what can not be refused, limits may add nothing to that.
        """
        found = self.judge(limits, states, reading, effort)
        named = ((schedule.status > 0) & (schedule.status <= BREACHED)).any(axis=1)[states.step]
        permitted = np.zeros_like(found.most)
        if named.any():
            least = replace(
                limits,
                import_w=_with_late(schedule.import_least_w),
                export_w=_with_late(schedule.export_least_w),
                default_import_w=np.zeros_like(limits.default_import_w),
                default_export_w=np.zeros_like(limits.default_export_w),
            )
            firm = self.judge(least, states.only(np.flatnonzero(named)), reading, effort)
            permitted[:, named] = np.where(firm.most > 0.0, firm.most + TRACES[:, None], 0.0)
        return found, found.most - permitted

    def judge(self, limits: published.Published, states: States, reading: Reading, effort: Effort) -> Search:
        """Searches states of the day for the worst of each kind."""
        found = Search(self.circuit, states, (self.problem.limits.v_min_v, self.problem.limits.v_max_v), effort)
        for box in self.boxes(limits, states, reading):
            found.run(box)
        return found


def _with_late(limit_w: np.ndarray | None) -> np.ndarray:
    """(T, C) the looser of an interval's limit and the one before, which is named for the whole interval."""
    assert limit_w is not None
    return np.maximum(limit_w, np.concatenate([limit_w[:1], limit_w[:-1]]))


def told(demand_va: np.ndarray, solar_w: np.ndarray, source_v: np.ndarray) -> dict[str, Any]:
    """What an engine is told of a day, (K, C) every five minutes: the day itself as its one joint path."""
    load = intervals(demand_va.real - solar_w)
    scenarios = of_day(demand_va.real - solar_w, demand_va.imag, moments=SUBSTEPS, solar_w=solar_w, source_v=source_v)
    return {
        "base_load_w": load.mean(axis=1),
        "base_load_var": intervals(demand_va.imag).mean(axis=1),
        "source_v": intervals(source_v).mean(axis=1),
        "scenarios": scenarios,
    }


def intervals(fine: np.ndarray) -> np.ndarray:
    """(T, states of each, ...) of a day's states."""
    return fine.reshape(-1, SUBSTEPS, *fine.shape[1:])


def day_of(demand_va: np.ndarray, solar_w: np.ndarray, source_v: np.ndarray) -> States:
    """The day as it is."""
    step = np.arange(len(demand_va)) // SUBSTEPS
    names = tuple(f"step {k // SUBSTEPS}+{k % SUBSTEPS}" for k in range(len(step)))
    return States(step, solar_w - demand_va, source_v, names)


def extremes_of(demand_va: np.ndarray, solar_w: np.ndarray, source_v: np.ndarray) -> States:
    """Per interval the least demand with the most solar and the highest head voltage, and the other way round."""
    steps = len(demand_va) // SUBSTEPS
    own, source, names = [], [], []
    for sign, name in ((1.0, "light"), (-1.0, "heavy")):
        least, sunny, high = (
            SUBSTEPS * np.arange(steps) + (sign * intervals(moves)).argmax(axis=1)
            for moves in (-demand_va.real.sum(axis=1), solar_w.sum(axis=1), np.abs(source_v).mean(axis=1))
        )
        own.append(solar_w[sunny] - demand_va[least])
        source.append(source_v[high])
        names += [f"step {k}, {name}" for k in range(steps)]
    return States(np.tile(np.arange(steps), 2), np.concatenate(own), np.concatenate(source), tuple(names))


def demonstration(facts: Path | None) -> Case:
    """The demonstration's day: LV28 with its raw files from `facts`, or the European feeder."""
    from envelope.demo import forecast
    from envelope.demo.scenario import build_scenario

    folder = None if facts is None else facts / "data" / "lv28"
    found = build_scenario(folder, 7)
    if folder is None:
        circuit, own = raw.european_lv(REPOSITORY / "gridmodel" / "data" / "european_lv_ratings.csv"), found.day.base_va
        solar, source = np.zeros(own.shape), np.tile(balanced(11e3 / np.sqrt(3.0)), (len(own), 1))
    else:
        circuit, from_eight = raw.lv28(folder), -8 * 3600 // FINE_S
        own, solar, source = (np.roll(table, from_eight, axis=0) for table in raw.lv28_day(folder))
    moves = solar - own, solar, source
    return Case(found.feeder.name, circuit, forecast.problem(found), day_of(*moves), extremes_of(*moves))


def balanced(volts: float) -> np.ndarray:
    return volts * np.exp(1j * np.radians([0.0, -120.0, 120.0]))


def random_customers(network: str, count: int, seed: int, folder: Path) -> Path:
    """A stock pandapower network with customers on random phases of its own load buses, as a file."""
    import pandapower
    from pandapower import networks

    net, rng = getattr(networks, network)(), np.random.default_rng(seed)
    buses = net.load.bus.to_numpy()
    net.load = net.load.iloc[:0]
    for k, bus in enumerate(rng.choice(buses, count, replace=count > len(buses))):
        p = dict.fromkeys((f"{q}_{phase}_{unit}" for q, unit in (("p", "mw"), ("q", "mvar")) for phase in "abc"), 0.0)
        phase = "abc"[rng.integers(3)]
        pandapower.create_asymmetric_load(
            net, bus, **(p | {f"p_{phase}_mw": 5e-4, f"q_{phase}_mvar": 1e-4}), name=f"c{k}"
        )
    net.line["c_nf_per_km"], net.line["c0_nf_per_km"] = 0.0, 0.0
    net.line["r0_ohm_per_km"], net.line["x0_ohm_per_km"] = 4.0 * net.line.r_ohm_per_km, 3.0 * net.line.x_ohm_per_km
    net.trafo["vk0_percent"], net.trafo["vkr0_percent"] = net.trafo.vk_percent, net.trafo.vkr_percent
    net.trafo["mag0_percent"], net.trafo["mag0_rx"], net.trafo["si0_hv_partial"] = 1e6, 0.0, 0.9
    net.trafo["pfe_kw"], net.trafo["i0_percent"], net.trafo["vector_group"] = 0.0, 0.0, "Dyn"
    net.trafo["shift_degree"] = 30.0
    net.ext_grid["s_sc_max_mva"], net.ext_grid["rx_max"] = 1e4, 0.1
    net.ext_grid["r0x0_max"], net.ext_grid["x0x_max"] = 0.1, 1.0
    path = folder / f"{network}.pandapower.json"
    pandapower.to_json(net, str(path))
    return path


@dataclass(frozen=True)
class Made:
    """A feeder whose customers and day are made here."""

    network: str
    count: int
    seed: int
    export_w: float = 5e3
    import_w: float = 7e3
    steps: int = 48


@dataclass(frozen=True)
class Feeder:
    """Where the engine reads it, and the same as a circuit; phase-to-neutral volts at its head."""

    path: Path
    circuit: Circuit
    head_v: float
    limits: OperatingLimits


def pandapower_feeder(what: Made, folder: Path) -> Feeder:
    """A stock pandapower network with random customers."""
    path = random_customers(what.network, what.count, what.seed, folder)
    tables = raw.pandapower_tables(path)
    (grid,) = tables["ext_grid"]
    kv = {row["index"]: row["vn_kv"] for row in tables["bus"]}[grid["bus"]]
    head_v = kv * 1e3 / np.sqrt(3.0) * grid["vm_pu"]
    return Feeder(path, raw.pandapower_circuit(tables), head_v, OperatingLimits())


def us_service() -> Feeder:
    """The split-phase service, 114 to 126 V on each leg."""
    folder = REPOSITORY / "tests" / "gridmodel" / "cases" / "us_service"
    limits = OperatingLimits.of("ansi-c84.1-a", nominal_v=120.0)
    return Feeder(US_SERVICE, raw.us_service(folder), 1.02 * 12.47e3 / np.sqrt(3.0), limits)


def known(what: Made, feeder: Feeder) -> Case:
    """A day whose base load and head voltage are known exactly: 500 W everywhere, devices everywhere."""
    count, shape = len(feeder.circuit.ports), (what.steps, len(feeder.circuit.ports))
    load, source = np.full(shape, 500.0), np.tile(balanced(feeder.head_v), (what.steps, 1))
    problem = Problem(
        reduce(read_feeder(feeder.path).network),
        START + STEP_S * np.arange(what.steps),
        STEP_S,
        base_load_w=load,
        base_load_var=0.2 * load,
        flex_gen_w=np.outer(_sun(what.steps), np.full(count, what.export_w)),
        flex_load_w=np.full(shape, what.import_w),
        source_v=source,
        limits=feeder.limits,
    )
    names = tuple(f"step {k}+0" for k in range(what.steps))
    day = States(np.arange(what.steps), -load * (1.0 + 0.2j), source, names)
    return Case(f"{what.network}, known day", feeder.circuit, problem, day, None, substeps=1)


def moving(what: Made, feeder: Feeder) -> Case:
    """A day on which demand, passive solar under common clouds and head voltage move within each half-hour."""
    rng, count = np.random.default_rng([what.seed, 1]), len(feeder.circuit.ports)
    fine = what.steps * SUBSTEPS
    hour = (np.arange(fine) + 0.5) * 24.0 / fine
    common = rng.normal(0.0, 0.15, (fine, 1))
    appliances = 2_000.0 * (rng.random((fine, count)) < 0.08)
    demand = 300.0 + appliances + 250.0 * np.exp(common + rng.normal(0.0, 0.4, (fine, count)))
    cloud = np.clip(1.0 - np.abs(rng.normal(0.0, 0.35, fine)), 0.1, 1.0)
    solar = np.outer(_sun(fine) * cloud, 2_500.0 * (rng.random(count) < 0.15))
    source = np.outer(1.0 + rng.normal(0.0, 0.002, fine), balanced(feeder.head_v))
    roofs, cars = what.export_w * (rng.random(count) < 0.7), what.import_w * (rng.random(count) < 0.7)
    problem = Problem(
        reduce(read_feeder(feeder.path).network),
        START + STEP_S * np.arange(what.steps),
        STEP_S,
        flex_gen_w=intervals(np.outer(_sun(fine), roofs)).max(axis=1),
        flex_load_w=intervals(np.outer((hour > 15.0) | (hour < 8.0), cars)).max(axis=1),
        **told(demand * (1.0 + 0.2j), solar, source),
        limits=feeder.limits,
    )
    moves = demand * (1.0 + 0.2j), solar, source
    return Case(f"{what.network}, moving day", feeder.circuit, problem, day_of(*moves), extremes_of(*moves))


def _sun(steps: int) -> np.ndarray:
    hour = (np.arange(steps) + 0.5) * 24.0 / steps
    return np.clip(np.sin((hour - 6.0) / 12.0 * np.pi), 0.0, None)
