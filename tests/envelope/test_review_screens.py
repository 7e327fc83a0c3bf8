"""Screens of the market's reviews on a feeder: what it hosts passes, what it does not is limited and named."""

import numpy as np
import pytest

from envelope.operation.review_screens import SCREENS, screen
from envelope.problem import plan_file
from gridmodel import read_feeder
from sep2.rules.market.screens import DerAsked, Result, ReviewAsked
from sep2.settings import parse, resolved
from tests.demo.conftest import FILES
from tests.envelope.cases import on


@pytest.fixture(scope="module")
def feeder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviewed") / "nine"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def problem(feeder):
    network = read_feeder(feeder).network
    shape = (2, len(network.connections))
    return on(network, steps=2, flex_gen_w=np.full(shape, 1000.0), flex_load_w=np.full(shape, 1000.0))


def asked(*ders: DerAsked, others: tuple[DerAsked, ...] = ()) -> ReviewAsked:
    return ReviewAsked(aggregation="VPP", ders=ders, others=others)


def der(connection: str, watts: int, **said) -> DerAsked:
    return DerAsked(der=f"der {connection}", connection=connection, max_gen_w=watts, max_load_w=1000, **said)


def test_a_small_der_is_hosted_and_a_large_one_is_limited_by_a_named_element(problem):
    found = {(one.der, one.screen): one for one in screen(problem, asked(der("H1", 1500), der("H5", 500_000)))}
    assert found["der H1", "mapping"].result is Result.PASS
    large = found["der H5", "hosting_node"]
    assert large.result is Result.FAIL
    assert large.limit_w is not None
    assert 0 <= large.limit_w < 500_000
    assert large.binding
    assert large.run_id
    alone = screen(problem, asked(der("H1", 1500)))
    assert {one.result for one in alone if one.screen != "mapping"} == {Result.PASS}


def test_what_takes_part_already_counts_for_the_feeder_alone(problem):
    others = tuple(der(name, 40_000) for name in ("H2", "H3", "H4", "H6", "H7", "H8", "H9"))
    found = {one.screen: one for one in screen(problem, asked(der("H1", 8000), others=others))}
    alone = {one.screen: one for one in screen(problem, asked(der("H1", 8000)))}
    assert found["hosting_node"].limit_w == alone["hosting_node"].limit_w
    assert found["hosting_feeder"].result is Result.FAIL
    assert found["hosting_feeder"].limit_w < 8000


def test_another_phase_fails_and_a_connection_outside_the_model_is_not_judged(problem):
    modelled = problem.reduced.network.connections.phase[0].upper()
    wrong = "B" if modelled != "B" else "C"
    found = screen(problem, asked(der("H1", 1000, phases=wrong), der("elsewhere", 1000)))
    assert [(one.result, one.cause) for one in found if one.screen == "mapping" and one.der == "der H1"] == [
        (Result.FAIL, "phase")
    ]
    assert {(one.result, one.cause) for one in found if one.der == "der elsewhere"} == {
        (Result.CANNOT_TELL, "not_in_model")
    }


def test_without_a_plan_or_with_a_changed_one_nothing_is_said_to_pass(tmp_path, feeder, problem):
    settings = resolved(parse({}), tmp_path)
    nothing = SCREENS.review(settings, asked(der("H1", 1000)))
    assert {(one.result, one.cause) for one in nothing} == {(Result.CANNOT_TELL, "no_plan")}
    (tmp_path / plan_file.FILE).write_bytes(b"no plan")
    broken = SCREENS.review(settings, asked(der("H1", 1000)))
    assert {(one.result, one.cause) for one in broken} == {(Result.CANNOT_TELL, "bad_plan")}
    (tmp_path / plan_file.FILE).unlink()
    plan_file.save(tmp_path / plan_file.FILE, str(feeder), problem)
    found = SCREENS.review(settings, asked(der("H1", 1000)))
    assert {one.screen for one in found} == {"mapping", "hosting_node", "hosting_feeder"}
    assert {one.result for one in found if one.screen != "mapping"} == {Result.PASS}
