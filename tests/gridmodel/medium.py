"""A small medium-voltage feeder for tests: a substation with taps, a line with a regulator, four heads."""

import math
from dataclasses import replace

import numpy as np

from gridmodel.model.equipment import Connection, Equipment, Line, Node, Supply, Transformer
from gridmodel.model.regulators import Mode, Regulator, Setting
from gridmodel.readers.pandapower import balanced

HV, MV = 33_000 / math.sqrt(3), 11_000 / math.sqrt(3)
PT = MV / 63.5
SUBSTATION = Regulator(
    id="oltc",
    transformer="T33",
    forward=Setting(64.0, 1.2),
    tap_min=-8,
    tap_max=8,
    tap_step_percent=1.25,
    tap_side="hv",
    pt=PT,
    ct=300.0,
)
LINE_REGULATOR = Regulator(
    id="mid",
    transformer="R1",
    forward=Setting(64.5, 1.0),
    tap_min=-16,
    tap_max=16,
    tap_step_percent=0.625,
    pt=PT,
    ct=100.0,
    mode=Mode.LOCKED_FORWARD,
)


def overhead(name: str, start: str, end: str, length_m: float) -> Line:
    z = np.full((3, 3), 0.05 + 0.25j) + np.eye(3) * (0.35 + 0.35j)
    none = np.zeros((3, 3), dtype=np.complex128)
    return Line(name, start, end, "abc", length_m, z * length_m / 1e3, none, 250.0)


def medium(*, regulators=(SUBSTATION, LINE_REGULATOR), km: float = 4.0, heads: int = 4, z1=0.05 + 2.0j) -> Equipment:
    """A substation, and four heads m1..m4 along a line that has a regulator behind m2."""
    names = [f"m{k}" for k in range(1, heads + 1)]
    nodes = [Node("hv", HV), Node("bar", MV), Node("m2r", MV), *(Node(name, MV) for name in names)]
    starts = ["bar", "m1", "m2r", "m3", "m4", "m5", "m6"]
    lines = tuple(overhead(f"W{k + 1}", starts[k], name, km * 1e3) for k, name in enumerate(names))
    transformers = (
        Transformer("T33", "hv", "bar", 10e6, 33_000.0, 11_000.0, 0.005 + 0.1j, 0.005 + 0.1j, tap_side="hv"),
        Transformer(
            "R1", "m2", "m2r", 5e6, 11_000.0, 11_000.0, 0.0005 + 0.005j, 0.0005 + 0.005j,
            connection="YNyn", shift_degree=0.0, tap_side="lv",
        ),
    )  # fmt: skip
    return Equipment(
        name="medium",
        nodes=tuple(nodes),
        lines=lines,
        transformers=transformers,
        supply=Supply("hv", balanced(HV), z1, z1),
        connections=tuple(Connection(name, name, "abc") for name in names),
        regulators=tuple(regulators),
    )


def of_phases(regulator: Regulator) -> tuple[Regulator, ...]:
    """The same control once for each phase."""
    return tuple(replace(regulator, id=f"{regulator.id} {phase}", phases=phase) for phase in "abc")
