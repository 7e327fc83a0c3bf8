"""Commands asked for what cannot be: exit code 2, one line, and with --json one object that has a code."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app as envelope
from envelope.problem import plan_file as plan
from envelope.study.study import Study, problem_of
from gridmodel import read_feeder
from gridmodel.commands import app as grid
from tests.gridmodel.tables import FILES, write

READINGS = "connection_id,interval_start,duration_s,import_wh\n"
OTHER_FILES = {
    "binary.csv": bytes(range(256)),
    "empty.csv": b"",
    "strange.csv": b"a,b\n1,2\n",
    "none.csv": READINGS.encode(),
    "late.csv": f"{READINGS}h1,99999999999999999999,3600,5\n".encode(),
    "huge.csv": f"{READINGS}h1,0,3600,1e300\n".encode(),
    "junk.npz": b"junk",
}
FALLBACK = ("--fallback", "asset-capacity", "--rating-kva", "10")


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A folder with a sound feeder, and much that is none."""
    folder = tmp_path_factory.mktemp("asked")
    write(folder / "lane")
    for name, content in OTHER_FILES.items():
        (folder / name).write_bytes(content)
    for name in ("nothing", "folder.csv", "folder.png", "folder.npz"):
        (folder / name).mkdir()
    problem = problem_of(read_feeder(folder / "lane"), Study(steps=2))
    plan.save(folder / "plan.npz", str(folder / "lane"), problem)
    scripts = {
        "typo": "New Circuit.x basekv=11\nNew Line.l1 bus1=sourcebus bus2=b foo=3\nSolve\n",
        "away": "New Circuit.x basekv=11\nRedirect missing.dss\nSolve\n",
        "lost": "New Circuit.x basekv=11\nNew Line.l bus1=sourcebus bus2=b\nNew Load.a bus1=z.1 kw=3 kv=6\nSolve\n",
        "bare": "New Circuit.x basekv=-11\nSolve\n",
    }
    for name, text in scripts.items():
        (folder / name).mkdir()
        (folder / name / "Master.dss").write_text(text)
    return folder


def asked(app, there, words):
    """What the command says; a word that begins with @ is a path."""
    arguments = [str(there / word[1:]) if word.startswith("@") else word for word in words]
    return CliRunner().invoke(app, arguments)


CASES = [
    (envelope, ("run", "@absent"), "bad_file", "absent: no such folder"),
    (envelope, ("compare", "@absent"), "bad_file", "absent: no such folder"),
    (envelope, ("explain", "@absent", "h1"), "bad_file", "absent: no such folder"),
    (envelope, ("run", "@absent.npz"), "bad_problem", "absent.npz: no such file"),
    (envelope, ("run", "@absent.csv"), "bad_file", "absent.csv: no such file"),
    (envelope, ("run", "@absent.csv", *FALLBACK), "bad_file", "absent.csv: no such file"),
    (envelope, ("compare", "@absent.dss"), "bad_file", "absent.dss: no such file"),
    (envelope, ("run", "@junk.npz"), "bad_problem", "junk.npz: this is a text without columns, not a plan"),
    (envelope, ("run", "@folder.npz"), "bad_problem", "folder.npz: this is a folder, not a plan"),
    (envelope, ("run", "@nothing"), "bad_file", "nothing: 0 network files"),
    (envelope, ("run", "@lane/nodes.csv"), "bad_problem", "nodes.csv: limits from meter readings alone need"),
    (envelope, ("run", "@lane", "--steps", "7"), "bad_problem", "steps: 7 steps do not divide a day"),
    (envelope, ("run", "@lane", "--steps", "0"), "bad_problem", "--steps: 0 is outside 1..86400"),
    (envelope, ("run", "@lane", "--flexible", "nan"), "bad_problem", "--flexible: nan is not finite"),
    (envelope, ("run", "@lane", "--import-kw", "-1"), "bad_problem", "--import-kw: -1 is negative"),
    (envelope, ("run", "@lane", "--limits", "x"), "unknown_criterion", "'x'; known are ansi"),
    (envelope, ("run", "@lane", "--steps", "2", "--reference", "contract"), "bad_problem", "contract_import_w: is"),
    (envelope, ("run", "@lane", "--steps", "2", "--guarantee", "coincident"), "bad_problem", "allocation: coincident"),
    (envelope, ("run", "@lane", "--out", "x.txt"), "bad_file", "--out x.txt: the ending is neither"),
    (envelope, ("run", "@lane", "--steps", "2", "--out", "@folder.csv"), "bad_file", "folder.csv: is a folder"),
    (envelope, ("run", "@lane", "--steps", "2", "--out", "@lane/nodes.csv/x.csv"), "bad_file", "File exists"),
    (envelope, ("run", "@lane", "--steps", "2", "--ledger", "@binary.csv"), "bad_file", "row 1: holds a zero byte"),
    (envelope, ("run", "@lane", "--steps", "2", "--ledger", "@folder.csv"), "bad_file", "folder.csv: not a file"),
    (envelope, ("run", "@lane", "--thermal", "onan-65", "--ambient", "@empty.csv", "--steps", "2"), "bad_file",
     "empty.csv, row 1: the file is empty"),
    (envelope, ("run", "@lane", "--thermal", "onan-65", "--ambient", "nan", "--steps", "2"), "bad_problem",
     "ambient_c: interval 0: nan is not finite"),
    (envelope, ("ledger", "@absent.csv"), "bad_problem", "absent.csv: no such ledger"),
    (envelope, ("ledger", "@strange.csv"), "bad_file", "row 1, field start: column is missing; found a, b"),
    (envelope, ("explain", "@lane", "h9", "--steps", "2"), "bad_problem", "lane has no connection 'h9'"),
    (envelope, ("explain", "@lane", "h1", "--steps", "2", "--step", "9"), "bad_problem", "step: 9 is outside 0..1"),
    (envelope, ("run", "@strange.csv", *FALLBACK), "bad_file", "row 1, field connection_id: column is missing"),
    (envelope, ("run", "@none.csv", *FALLBACK), "bad_file", "none.csv, field connection_id: no readings"),
    (envelope, ("run", "@late.csv", *FALLBACK), "bad_file", "field interval_start: '99999999999999999999' is"),
    (envelope, ("run", "@huge.csv", *FALLBACK), "bad_file", "row 2, field import_wh: '1e300' is outside"),
    (envelope, ("run", "@huge.csv", *FALLBACK[:-1], "nan"), "bad_problem", "--rating-kva: nan is not finite"),
    (envelope, ("run", "@typo"), "bad_file", "Master.dss, row 2, field foo: line.l1: 'foo' is no property"),
    (envelope, ("run", "@away"), "bad_file", "Master.dss, row 2, field Redirect: missing.dss: no such file"),
    (envelope, ("run", "@lost"), "bad_file", "Master.dss: connection a: node z is not in the network"),
    (envelope, ("run", "@bare"), "bad_file", "Master.dss: nothing but a source stands in the circuit"),
    (envelope, ("status", "@absent"), None, "absent"),
    (grid, ("show", "@lane", "--out", "x.doc"), "bad_file", "--out x.doc: the ending is not .png"),
    (grid, ("show", "@lane", "--out", "@folder.png"), "bad_file", "folder.png: is a folder"),
]  # fmt: skip


@pytest.mark.parametrize(("app", "words", "code", "said"), CASES, ids=[" ".join(case[1]) for case in CASES])
def test_one_line_says_what_is_wrong(there, app, words, code, said):
    plain = asked(app, there, words)
    assert plain.exit_code == 2, plain.output
    assert isinstance(plain.exception, SystemExit)
    assert len(plain.output.strip().splitlines()) == 1
    assert said in plain.output
    for_programs = asked(app, there, (*words, "--json"))
    assert for_programs.exit_code == 2
    error = json.loads(for_programs.output)["error"]
    assert said in error["detail"]
    assert code in (error["code"], None)


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("connections.csv", "h3,n3", "h3,nowhere", "nowhere is not in the network"),
        ("connections.csv", "h1,n1,b", "h1,n1,x", "'x' is none of a, b, c"),
        ("line_types.csv", ",120", ",-120", "-120 is negative"),
        ("demand_kw.csv", "\n7,0.3", "\n7,nan", "'nan' is no number"),
        ("lines.csv", "L1,n1,n2,150,thin\n", "", "node n2 has no path to the source"),
        ("lines.csv", FILES["lines.csv"], "", "the file is empty; its first line names the columns"),
        ("lines.csv", FILES["lines.csv"], "\1\2", "column is missing"),
        ("demand_kw.csv", "\n23,0.3,0.4,0.5\n", "\n", "23 intervals; a day has one of"),
    ],
)
def test_a_feeder_that_cannot_be_used_is_said_with_its_findings(there, command, name, before, after, said):
    path = there / "lane" / name
    path.write_text(FILES[name].replace(before, after, 1))
    others = [there / "lane" / other for other in ("pv_kw.csv", "head_voltage.csv")]
    done = asked(grid, there, (command, "@lane", "--json"))
    path.write_text(FILES[name])
    assert all(other.is_file() for other in others)
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)
    assert found["usable"] is False
    assert any(said in finding["detail"] for finding in found["findings"])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda said, arrays: (said.update(feeder="/nowhere"), said.pop("carried")), "nowhere"),
        (lambda said, arrays: arrays.update(base_load_w=arrays["base_load_w"][:1]), "base_load_w has shape"),
        (lambda said, arrays: arrays.update(base_load_w=np.nan * arrays["base_load_w"]), "base_load_w: connection h1"),
        (lambda said, arrays: said["fields"].update(alpha=-1), "alpha: -1 is not above 0"),
        (lambda said, arrays: said["fields"].pop("step_s"), "saved by another version"),
        (lambda said, arrays: said.update(fields=3), "this plan is damaged"),
        (lambda said, arrays: said.update(feeder=5), "feeder: 5 is no str"),
        (lambda said, arrays: said.update(hysteresis_w="x"), "hysteresis_w: 'x' is not a whole number"),
        (lambda said, arrays: said.update(sharing="x"), "sharing: 'x' is none of"),
        (lambda said, arrays: said["fields"]["limits"]["of"].update(v_min_v=999), "v_max_v: 253 is not above v_min_v"),
    ],
)
def test_a_spoiled_plan_is_refused(there, spoil, said):
    with np.load(there / "plan.npz") as found:
        arrays = dict(found)
    content = json.loads(arrays.pop("said").tobytes())
    spoil(content, arrays)
    np.savez(there / "spoiled.npz", said=np.frombuffer(json.dumps(content).encode(), dtype=np.uint8), **arrays)
    done = asked(envelope, there, ("run", "@spoiled.npz"))
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert "spoiled.npz" in done.output or "nowhere" in said
