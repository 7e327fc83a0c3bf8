"""Public networks that Python packages ship, and public circuits where the facts are at hand: read, or refused by name.

Each that is read is solved with its own loads, once as it was read and once in the engine that it was made for.
SEP2_CIRCUITS names a folder of further circuits, such as those of packages that ship some.
"""

import atexit
import inspect
import json
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from gridmodel import port_va, read_feeder
from gridmodel.errors import GridError
from gridmodel.flow.sparse_flow import SparseFlow
from gridmodel.model.feeder import Feeder
from gridmodel.solvers.own_file import injections_of, own_file_of
from tests.trials.figures import record_row

TITLE = "Public networks"
SAID = (
    "Networks of pandapower and of simbench (where that is installed), and public OpenDSS circuits. Of each that is"
    " read: connections, node phases, and the greatest difference per unit in any voltage between the network as it was"
    " read and its own engine, with the file's own loads and a stiff external grid (docs/feeders.md says why). The"
    " others are refused, with the reason that stands there."
)
NUMBER = {"a": 1, "b": 2, "c": 3, "1": 1, "2": 2}
MOST_REASON = 160
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "create_cigre_network_mv": {
        "with_der=pv_wind": {"with_der": "pv_wind"},
        "with_der=all": {"with_der": "all"},
    },
    "create_dickert_lv_network": {
        f"{length} {line} {customer} {case}": {
            "feeders_range": length, "linetype": line, "customer": customer, "case": case,
        }
        for length, line, customer in (
            ("short", "cable", "single"), ("short", "cable", "multiple"), ("middle", "cable", "multiple"),
            ("middle", "C&OHL", "multiple"), ("long", "cable", "multiple"), ("long", "C&OHL", "multiple"),
        )
        for case in ("good", "average", "worse")
    },
    "create_synthetic_voltage_control_lv_network": {
        name: {"network_class": name} for name in ("rural_2", "village_1", "village_2", "suburb_1")
    },
    "ieee_european_lv_asymmetric": {
        name: {"scenario": name} for name in ("off_peak_1", "off_peak_1440")
    },
    "lv_schutterwald": {"with heat pumps": {"include_heat_pumps": True}},
    "mv_oberrhein": {
        "generation": {"scenario": "generation"},
        "with substations": {"include_substations": True},
    },
}  # fmt: skip
"""of networks that have options, beside those without any"""
ALL_SCENARIOS = ("1-LV-", "1-MV-")
"""of simbench, in all scenarios and with switches or without; others as of today and with switches"""
NO_NETWORKS = {"sorted_from_json", "create_dickert_lv_feeders"}
STIFF_MVA = 1e9
WORST_PU = 1e-5


def of_pandapower() -> Iterator[tuple[str, Callable[[Path], Path]]]:
    import pandapower.networks as networks

    for name, make in inspect.getmembers(networks, inspect.isfunction):
        if make.__module__.startswith("pandapower.networks") and name not in NO_NETWORKS:
            yield f"pandapower {name}", partial(_saved, make)
            for variant, options in VARIANTS.get(name, {}).items():
                yield f"pandapower {name}, {variant}", partial(_saved, partial(make, **options))


def of_simbench() -> Iterator[tuple[str, Callable[[Path], Path]]]:
    if find_spec("simbench") is None:
        return
    import simbench

    for code in simbench.collect_all_simbench_codes():
        if code.startswith(ALL_SCENARIOS) or code.endswith("-0-sw"):
            yield f"simbench {code}", partial(_saved, partial(_simbench, code))


def _simbench(code: str) -> Any:
    import simbench

    return simbench.get_simbench_net(code, input_path=_without_profiles(int(code.split("-")[-2])))


@cache
def _without_profiles(scenario: int) -> str:
    """A copy of simbench's tables of a scenario with one row of each year's profile, which are most of what is read."""
    import simbench

    source = Path(simbench.__file__).parent / "networks" / f"1-complete_data-mixed-all-{scenario}-sw"
    folder = Path(tempfile.mkdtemp(prefix="simbench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for path in source.glob("*.csv"):
        with path.open(encoding="utf-8") as lines:
            most = 2 if path.stem.endswith("Profile") else None
            (folder / path.name).write_text("".join(islice(lines, most)), encoding="utf-8")
    return str(folder)


def _saved(make: Callable[[], Any], folder: Path) -> Path:
    import pandapower

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = make()
        net = made[0] if isinstance(made, list | tuple) else made
        # pandapower holds the positive sequence of a grid stiff, whatever its short-circuit power is.
        net.ext_grid["s_sc_max_mva"] = STIFF_MVA
        path = folder / "net.json"
        pandapower.to_json(net, str(path))
    return path


def of_opendss() -> Iterator[tuple[str, Callable[[Path], Path]]]:
    facts, further = os.environ.get("SEP2_FACTS"), os.environ.get("SEP2_CIRCUITS")
    files = sorted(Path(facts, "data", "opendss").glob("*/*")) if facts else []
    files += sorted(Path(further).rglob("*")) if further else []
    for path in files:
        text = path.read_text("latin-1") if path.suffix.lower() == ".dss" else ""
        if re.search(r"(?im)^\s*(new|clear\s+new)\s+(object=)?circuit\.", text):
            yield f"OpenDSS {path.parent.name}/{path.name}", partial(_in_place, path)


def _in_place(path: Path, _: Path) -> Path:
    return path


def agreement(feeder: Feeder) -> float:
    """The greatest difference per unit in any voltage that both know."""
    network, own = feeder.network, own_file_of(feeder.network)
    declared = feeder.declared_va
    assert own is not None
    assert declared is not None
    injected = -declared
    by_name = dict(zip(network.connections.id, injected.tolist(), strict=True))
    theirs = own.solve([injections_of(network, by_name)], head=[1.0])
    assert theirs.converged.all()
    flow = SparseFlow(network)
    found = flow.solve(port_va(network, injected[None]))
    assert found.converged.all()
    v = dict(zip(map(_name, flow.watched.voltage_names), flow.voltages(found.v)[0], strict=True))
    both = [
        (v[name], theirs.v_v[0, k], theirs.nominal_v[k])
        for k, name in enumerate(map(_name, theirs.voltage_names))
        if name in v
    ]
    assert len(both) > 0.5 * len(v)
    return max(abs(one - other) / nominal for one, other, nominal in both if np.isfinite(other))


def _name(said: str) -> str:
    """A node and its phase in one form, whichever engine says it."""
    where = re.sub(r"^(node|bus) ", "", said)
    place, _, phase = where.rpartition(", phase ") if ", phase " in where else where.rpartition(".")
    # A bus without a name has its number.
    place = f"bus{place}" if place.isdigit() else place
    return f"{place.lower()}.{NUMBER.get(phase, phase)}"


NETWORKS = dict([*of_pandapower(), *of_simbench(), *of_opendss()])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_public_network_is_read_rightly_or_refused_by_name(name: str, tmp_path: Path) -> None:
    path = NETWORKS[name](tmp_path)
    try:
        # The public circuits share a file of line codes in the folder above.
        feeder = read_feeder(path, path.parent.parent if path.suffix.lower() == ".dss" else None)
    except GridError as refused:
        reason = " ".join(str(refused).replace(str(path.parent) + "/", "").split())
        assert len(reason) > 20
        record_row(TITLE, SAID, (name, f"refused: {reason[:MOST_REASON]}"), list(NETWORKS))
        return
    worst = agreement(feeder)
    size = f"{len(feeder.network.connections)} connections, {len(feeder.network.terminal_node)} node phases"
    record_row(TITLE, SAID, (name, f"{size}; {worst:.1e} pu"), list(NETWORKS))
    assert worst < WORST_PU, worst


OF_ENVELOPES = {
    "pandapower create_kerber_dorfnetz": "as-61000.3.100",
    "pandapower create_kerber_vorstadtnetz_kabel_1": "as-61000.3.100",
    "OpenDSS LVTestCase/Master.dss": "as-61000.3.100",
}
AUDIT = "Envelopes by a file's own loads"
AUDIT_SAID = (
    "Limits of 24 steps that `sep2 envelope run` makes for a public network. The worst states of their verification are"
    " set at the file's own loads in its own engine, which shares nothing with the reader; worst against the limits."
)


@pytest.mark.parametrize("name", [name for name in OF_ENVELOPES if name in NETWORKS])
def test_limits_hold_when_the_files_own_loads_are_set_to_them(name: str, tmp_path: Path) -> None:
    path = NETWORKS[name](tmp_path)
    words = ["run", str(path), "--steps", "24", "--limits", OF_ENVELOPES[name], "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code in (0, 3), done.output
    own = json.loads(done.stdout)["own_file"]
    assert own["inside"], own
    assert own["states"] >= 20
    record_row(AUDIT, AUDIT_SAID, (name, own["sentence"]), list(OF_ENVELOPES))
