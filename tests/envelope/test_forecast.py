"""Forecasts: joint paths from what had arrived, better than persistence, in the form that a problem takes."""

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from envelope.command_line.forecast import app
from envelope.forecast.backtesting import Backtest, backtest
from envelope.forecast.earlier_values import Lags
from envelope.forecast.forecast_file import load, save
from envelope.forecast.history import History, Question, read_history
from envelope.forecast.joint_paths import forecast, origins_to_learn
from envelope.forecast.learned import learn
from envelope.forecast.models import BASELINES, Model
from envelope.forecast.own_paths import read_own
from envelope.forecast.scores import QUANTILES, over_rating, pinball
from envelope.forecast.solar import clear_sky_irradiance, solar_size_w
from gridmodel import GridError
from gridmodel.errors import FileError
from gridmodel.meter_data.store import MeasurementStore
from tests.envelope.homes_history import DAY_S, SINCE, fill
from tests.gridmodel.meters import table

DAYS, HOMES = 77, 6
NAMES = [f"h{k:02d}" for k in range(HOMES)]
QUESTION = Question(SINCE + (DAYS - 3) * DAY_S + DAY_S // 2, horizon_s=DAY_S, days=70)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Eleven weeks of eight homes, readings six hours after each day, weather forecast two days ahead."""
    store = MeasurementStore(tmp_path_factory.mktemp("forecast") / "measurements")
    fill(store, DAYS, HOMES)
    return store


@pytest.fixture(scope="module")
def history(store):
    return read_history(store, NAMES, QUESTION)


@pytest.fixture(scope="module")
def learned(history):
    return learn(history, origins_to_learn(history))


@pytest.fixture(scope="module")
def made(history, learned):
    return forecast(history, learned=learned)


def test_only_what_had_arrived_is_seen(history):
    known = np.isfinite(history.net_w).all(axis=1)
    # At noon the day before is known, since six hours; the morning is not.
    assert history.delay == 24
    assert known[:-24].all()
    assert not np.isfinite(history.net_w[-24:]).any()


@pytest.mark.parametrize("name", [*BASELINES, Model.LEARNED])
def test_no_model_looks_at_what_comes_or_has_not_arrived(history, learned, name):
    model = learned if name is Model.LEARNED else BASELINES[name]
    origin = history.origin[-10:-9]
    before = model(history, origin)
    changed = history.net_w.copy()
    unseen = np.arange(len(changed)) >= origin[0] - history.delay
    # At night only: the size of solar, which is of the whole history as known at the question's time, stays.
    changed[unseen & (history.measured_irradiance == 0)] = 1e6
    later = replace(history, net_w=changed)
    later.__dict__["scale"] = history.scale
    np.testing.assert_allclose(model(later, origin), before, rtol=1e-6)


def test_earlier_values_are_those_of_equal_times(history):
    found = Lags(history, np.array([len(history.net_w)]))
    position = len(history.net_w) + np.arange(QUESTION.steps)
    # Yesterday is known, the morning of today is not: tomorrow's morning has that of yesterday.
    back = np.where(np.arange(QUESTION.steps) < 24, 48, 96)
    np.testing.assert_array_equal(found.last[0], history.net_w[position - back])
    np.testing.assert_array_equal(found.week[0], history.net_w[position - 7 * 48])
    np.testing.assert_allclose(
        found.days[0, 0], np.mean([history.net_w[position[0] - 48 * k] for k in range(1, 8)], axis=0)
    )


def test_the_learned_model_wins_and_is_chosen(made):
    assert made.model is Model.LEARNED
    assert made.path_w.shape == (40, QUESTION.steps, HOMES)
    assert any("temperature" in line for line in made.said)


def test_paths_keep_what_homes_have_in_common(made):
    noon = made.path_w[:, 0, : HOMES // 2]
    others = np.corrcoef(noon.T)[np.triu_indices(HOMES // 2, 1)]
    assert others.mean() > 0.5
    total = made.summed(["T1"] * HOMES).quantiles((0.05, 0.95))[:, 0, 0]
    added = made.quantiles((0.05, 0.95))[:, 0].sum(axis=1)
    assert total[1] - total[0] < added[1] - added[0]
    np.testing.assert_allclose(
        made.summed(["a", "a", *[""] * (HOMES - 2)]).path_w[:, :, 0], made.path_w[:, :, :2].sum(axis=2)
    )


def test_solar_is_told_apart_where_there_is_some(history, made):
    size = solar_size_w(history)
    np.testing.assert_allclose(size[: HOMES // 2], 4000, rtol=0.15)
    assert not size[HOMES // 2 :].any()
    assert made.solar_w[:, 0, 0].mean() > 500
    assert not made.solar_w[:, 24].any()


def test_a_problem_takes_the_paths(made):
    scenarios = made.scenarios(["h03", "h05"], power_factor=0.95)
    assert scenarios.load_w.shape == (40, QUESTION.steps, 1, 2)
    np.testing.assert_allclose(scenarios.mean_w[:, 1], made.path_w[:, :, 5].mean(axis=0))
    assert (scenarios.load_var >= 0).all()
    with pytest.raises(GridError, match="stranger is not in this forecast"):
        made.scenarios(["stranger"])
    with pytest.raises(GridError, match=r"power_factor: 1\.5"):
        made.scenarios(["h03"], power_factor=1.5)


def test_without_weather_it_goes_on_and_says_what_it_lost(tmp_path):
    store = MeasurementStore(tmp_path / "measurements")
    fill(store, DAYS, 2, weather=False)
    found = forecast(read_history(store, NAMES[:2], QUESTION), Model.HOUR_OF_WEEK)
    assert found.solar_w is None
    assert found.said == ("no weather is stored: cloud and temperature are not known to the forecast",)


def test_gaps_in_the_past_leave_no_gap_in_the_paths(history):
    net = history.net_w.copy()
    net[np.random.default_rng(3).random(net.shape) < 0.2] = np.nan
    net[: 30 * 48, 0] = np.nan
    found = forecast(replace(history, net_w=net), Model.SIMILAR_DAY)
    assert np.isfinite(found.path_w).all()


def test_what_is_late_widens_the_band(history):
    def width(late):
        net = history.net_w.copy()
        net[len(net) - late :] = np.nan
        found = forecast(replace(history, net_w=net, delay=late), Model.PERSISTENCE)
        low, high = found.quantiles((0.05, 0.95))
        return float((high - low).mean())

    assert width(8 * 48) > width(24)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"at": SINCE + 10 * DAY_S}, "are needed"),
        ({"at": SINCE + (DAYS + 15) * DAY_S}, "days are known|days old"),
        ({"step_s": 1700}, "step_s: 1700 does not divide a day"),
        ({"horizon_s": 8 * DAY_S}, "horizon_s: 691200"),
        ({"at": SINCE + 5}, "is not the begin of a step"),
    ],
)
def test_a_question_that_can_not_be_answered_is_refused(store, changes, said):
    with pytest.raises(GridError, match=said):
        read_history(store, NAMES, replace(QUESTION, **changes))


def test_a_forecast_is_kept_in_a_file(made, tmp_path):
    path = save(made, tmp_path / "forecast.npz")
    again = load(path)
    assert (again.places, again.model, again.said) == (made.places, made.model, made.said)
    np.testing.assert_allclose(again.path_w, made.path_w, rtol=1e-5, atol=1e-2)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(FileError, match="is no forecast"):
        load(path)


def test_a_utilitys_own_forecast_takes_the_place_of_ours(tmp_path):
    rows = [
        (name, f"2026-05-29T{hour:02d}:00Z", path, 1000 * hour + 100 * path + k)
        for path in range(3)
        for k, name in enumerate(("c2", "c1"))
        for hour in range(4)
    ]
    taken = read_own(table(tmp_path / "own.csv", "connection_id,start,path,net_w", *rows), SINCE)
    assert (taken.places, taken.step_s, taken.model) == (("c1", "c2"), 3600, Model.OWN)
    assert taken.path_w[2, 3].tolist() == [3201.0, 3200.0]
    assert taken.scenarios(["c2"]).load_w.shape == (3, 4, 1, 1)
    columns = dict(zip(("connection_id", "start", "path", "net_w"), zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), tmp_path / "own.parquet")
    np.testing.assert_array_equal(read_own(tmp_path / "own.parquet", SINCE).path_w, taken.path_w)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["c1,2026-05-29T00:00,1", "c1,2026-05-29T01:00,x"], "row 3, field net_w: 'x' is not a number"),
        (["c1,2026-05-29T00:00,1", "c1,2026-05-29T01:00,"], "row 3, field net_w: nan is no power"),
        (["c1,2026-05-29T00:00,1", "c2,2026-05-29T01:00,1"], "a value is missing: 1 paths, 2 steps and 2 connections"),
        (["c1,2026-05-29T00:00,1", "c1,2026-05-29T00:00,1", "c1,2026-05-29T01:00,1"], "a value stands here twice"),
        (["c1,noon,1"], "'noon' is no time"),
        (["c1,2026-05-29T00:00,1"], "field start: its 1 steps do not follow"),
    ],
)
def test_an_own_forecast_that_is_wrong_is_refused_by_name(tmp_path, rows, said):
    with pytest.raises(FileError, match=said):
        read_own(table(tmp_path / "own.csv", "connection_id,start,net_w", *rows), SINCE)


def test_the_clear_sky_is_dark_at_night_and_high_at_noon():
    question = replace(QUESTION, location=(-34.9, 138.6))
    history = History(question, ("c",), np.zeros((48, 1)), 0, np.array([48]))
    sky = clear_sky_irradiance(history, np.arange(48, 96)[None])[0]
    # The question's day begins at 12:00 UTC, 21:30 or later in Adelaide.
    assert sky[0] == 0
    assert 600 < sky[32:38].max() < 1100


def test_scores_are_those_of_their_definition():
    came = np.array([1.0, -1.0])
    np.testing.assert_allclose(pinball(came, np.zeros((1, 2)), [0.9]), [[0.9, 0.1]])


def test_hours_beyond_a_rating_are_foretold_or_not_and_a_false_alarm_is_a_run_without_any():
    load = np.array([[0.0, 0, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])[..., None]
    share = np.array([[0, 0.2, 0.5, 0.5, 0, 0, 0, 0, 0, 0.3, 0.3, 0], [0, 0, 0, 0, 0.1, 0, 0, 0, 0, 0, 0, 0.1]])[
        ..., None
    ]
    found = over_rating(load, share, np.array([5.0]), 3600)
    # Two of the three hours; one run about the first event, and three where nothing came within two hours.
    assert (found.hours, found.foretold_hours, found.false_alarms) == (3.0, 2.0, 3)
    assert found.false_alarms_a_month == 3 / (2 / 30)
    assert "67% of them foretold 4 h ahead" in found.sentence("transformer")


def test_the_backtest_sees_what_had_arrived_and_the_default_wins(store):
    groups = ["T1"] * (HOMES // 2) + ["T2"] * (HOMES // 2)
    models = (Model.PERSISTENCE, Model.SIMILAR_DAY, Model.LEARNED, Model.AUTO)
    question = replace(QUESTION, horizon_s=28 * 3600)
    test = Backtest(question, 2, models, groups, {"T1": 2000.0, "T2": 1e9})
    scores = {(one.level, one.model): one for one in backtest(store, NAMES, test)}
    default = scores["transformer", Model.AUTO]
    assert default.pinball_w == scores["transformer", Model.LEARNED].pinball_w
    assert default.over.hours > 0
    assert default.over.foretold_share > 0.5
    assert scores["all", Model.AUTO].over is None
    for level in ("connection", "transformer", "all"):
        best = scores[level, Model.LEARNED]
        assert best.pinball_w < scores[level, Model.SIMILAR_DAY].pinball_w
        assert best.pinball_w < scores[level, Model.PERSISTENCE].pinball_w
        assert best.mae_w < best.persistence_mae_w
    assert scores["connection", Model.LEARNED].places == HOMES
    assert 0.8 < scores["connection", Model.LEARNED].coverage_90 < 0.97
    assert len(QUANTILES) == 5


def test_the_commands_make_show_and_test_forecasts(store, tmp_path):
    def run(*words, code=0):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, result.output
        return result.output

    file, picture, scores = tmp_path / "f.npz", tmp_path / "f.png", tmp_path / "scores.csv"
    at = ("--store", store.folder, "--at", "2026-03-20T12:00", "--hours", 24)
    said = run("run", *NAMES[:3], *at, "--model", "hour-of-week", "--out", file)
    assert "by hour-of-week, 40 paths; the last values are 12 h old" in said
    assert "h01, made at 2026-03-20 12:00 UTC" in run("show", file, "h01", "--out", picture)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    shown = json.loads(run("show", file, "--json"))
    assert (shown["place"], len(shown["all"]["p95_w"])) == ("all", 48)
    assert "stranger is not in this forecast" in run("show", file, "stranger", code=2)
    assert "no power is measured at stranger" in run("run", "stranger", *at, "--out", file, code=2)
    assert "no such file" in run("show", tmp_path / "none.npz", code=2)
    run("backtest", *NAMES[:2], *at, "--days", 1, "--out", scores)
    rows = list(csv.DictReader(scores.read_text().splitlines()))
    assert {row["level"] for row in rows} == {"connection", "all"}
    assert {row["model"] for row in rows} == {str(one) for one in Model} - {"own"}
