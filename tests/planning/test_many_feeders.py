"""`sep2 envelope run` over several feeders: one file, the same bytes from Dask, going on where it stopped."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.schedule.table import load
from envelope.study.many_feeders import Failure, Workers, each
from tests.planning.lanes import rows_of, write_lane
from tests.planning.works import ends

SHORT = ("--steps", "4")


def ran(*arguments):
    return CliRunner().invoke(app, ["run", *(str(one) for one in arguments), *SHORT], env={"COLUMNS": "140"})


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Three feeders, and one that cannot be read between them."""
    folder = tmp_path_factory.mktemp("fleet")
    found = [write_lane(folder / f"f{k}", homes=homes, name=f"f{k}") for k, homes in ((1, 3), (2, 4), (4, 3))]
    broken = folder / "f3"
    shutil.copytree(found[0], broken)
    (broken / "nodes.csv").write_text("node\n")
    return sorted([*found, broken])


@pytest.fixture(scope="module")
def calculated(fleet):
    """The fleet one after another: the file and what was printed."""
    out = fleet[0].parent / "limits.parquet"
    return out, ran(*fleet, "--out", out, "--workers", 1)


def test_a_feeder_that_fails_is_named_and_the_others_are_in_one_file(calculated, fleet):
    out, done = calculated
    assert done.exit_code == 2
    assert f"failed: {fleet[2]}" in done.output
    assert "3 of 4 feeders" in done.output
    table = pq.read_table(out)
    assert pq.ParquetFile(out).num_row_groups == 3
    assert list(dict.fromkeys(table["feeder"].to_pylist())) == [str(fleet[k]) for k in (0, 1, 3)]
    states = {row["feeder"]: row["state"] for row in rows_of(out.with_suffix(".feeders.csv"))}
    assert states == {str(one): "failed" if one == fleet[2] else "inside" for one in fleet}


def test_limits_are_those_of_the_feeder_alone(calculated, fleet, tmp_path):
    assert ran(fleet[1], "--out", tmp_path / "alone.parquet").exit_code == 0
    alone = load(tmp_path / "alone.parquet")
    table = pq.read_table(calculated[0]).to_pandas()
    own = table[table["feeder"] == str(fleet[1])].reset_index(drop=True)
    for column in ("connection_point", "import_limit_w", "export_limit_w", "run_id"):
        assert own[column].astype(str).tolist() == alone[column].astype(str).tolist()


def test_dask_gives_the_same_bytes(calculated, fleet):
    out = fleet[0].parent / "dask.parquet"
    assert ran(*fleet, "--out", out, "--dask", "local", "--workers", 1).exit_code == 2
    assert out.read_bytes() == calculated[0].read_bytes()


def test_what_was_calculated_is_not_calculated_again(calculated, fleet, tmp_path):
    out = tmp_path / "limits.parquet"
    shutil.copytree(f"{calculated[0]}.parts", f"{out}.parts")
    # The last one was not yet done, and the one that failed is tried again.
    left = [fleet[0], fleet[1], fleet[2]]
    again = json.loads(ran(*left, "--out", out, "--workers", 1, "--json").stdout)
    assert again["resumed"] == 2
    kept = {row["feeder"]: row["seconds"] for row in rows_of(calculated[0].with_suffix(".feeders.csv"))}
    assert [str(row["seconds"]) for row in again["feeders"][:2]] == [kept[str(one)] for one in fleet[:2]]
    fresh = json.loads(ran(*fleet[:2], "--out", out, "--workers", 1, "--fresh", "--json").stdout)
    assert fresh["resumed"] == 0


def test_other_files_or_options_are_calculated_again(fleet, tmp_path):
    own = [shutil.copytree(fleet[0], tmp_path / name) for name in ("a", "b")]
    out = tmp_path / "limits.parquet"
    common = (*own, "--out", out, "--workers", 1, "--json")
    assert json.loads(ran(*common).stdout)["resumed"] == 0
    demand = own[0] / "demand_kw.csv"
    demand.write_text(demand.read_text().replace("0,", "0,1", 1))
    assert json.loads(ran(*common).stdout)["resumed"] == 1
    assert json.loads(ran(*common, "--export-kw", 3).stdout)["resumed"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "limits.csv"), "limits of several feeders are one .parquet file"),
        (("--picture", "p.png"), "--picture: is for one feeder; there are 4"),
        (("--dask", "tcp://127.0.0.1:9", "--out", "limits.parquet"), "no scheduler answers there"),
    ],
)
def test_what_is_for_one_feeder_is_refused(fleet, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("envelope.study.many_feeders.ANSWER_S", 0.2)
    done = ran(*fleet, *words, "--json")
    assert done.exit_code == 2
    assert said in json.loads(done.stdout)["error"]["detail"]


def test_a_process_that_ends_fails_its_item_alone():
    found = {one.item: one.result for one in each(ends, [1, 0, 2], Workers(2))}
    assert found[1] == 10
    assert found[2] == 20
    assert isinstance(found[0], Failure)
    assert found[0].code == "process_ended"
