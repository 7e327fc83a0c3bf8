"""What devices answer, in words."""

from typing import Any

import pytest
import typer

from sep2 import wire as w
from sep2.admin import types as t
from sep2.cli.answers import ENDS, RESPONSE, answer_of
from sep2.cli.watch import follow


def reached(*statuses: int) -> t.Reached:
    return t.Reached(lfdi="AB" * 20, client="Sunny", connection_id=None, responses=dict.fromkeys(statuses, 1), note="")


def test_every_answer_of_the_standard_has_words() -> None:
    assert {int(status) for status in w.ResponseStatus} == set(RESPONSE)


@pytest.mark.parametrize("status", ENDS)
def test_an_end_counts_more_than_what_came_before(status: int) -> None:
    assert answer_of(reached(1, 2, status)) == RESPONSE[status]


@pytest.mark.parametrize(
    "status", [w.ResponseStatus.ABORTED_BY_OTHER_SERVER, w.ResponseStatus.ABORTED_BY_OTHER_PROGRAM]
)
def test_a_control_that_gave_way_has_ended(status: w.ResponseStatus) -> None:
    """Nothing more is to come of it, so a watch need not wait for it."""
    assert status in ENDS


def test_an_acknowledgement_ends_nothing() -> None:
    assert w.ResponseStatus.ACKNOWLEDGED not in ENDS
    assert answer_of(reached(1, w.ResponseStatus.ACKNOWLEDGED)) == RESPONSE[1]


class Server:
    """An operator API on which every part of a control has been answered."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def next(self, path: str, kind: object, tag: str, wait_s: int) -> tuple[t.ControlShown, str]:
        self.asked.append(path)
        mrid = path.rpartition("/")[2]
        answers = reached(1, 2, 3) if mrid != "CC" else reached(1)
        return t.ControlShown(
            mrid=mrid, group="feeder", description="", created=1, start=1, duration=1, status=2, status_since=2,
            over=True, limits=t.Limits(export_w=0), modes={}, source="operator", reason="", ramp_tms=None,
            randomize_start=None, randomize_duration=None, ends=2, devices=[answers],
        ), "tag"  # fmt: skip


def test_every_part_of_a_control_is_followed(capsys: pytest.CaptureFixture[str]) -> None:
    server: Any = Server()
    follow(server, ["AA", "BB"], until="ended")
    assert server.asked == ["/controls/AA", "/controls/BB"]
    assert capsys.readouterr().out.count("All have ended it.") == 2


def test_one_part_without_an_answer_is_enough_for_a_status_of_1() -> None:
    server: Any = Server()
    with pytest.raises(typer.Exit):
        follow(server, ["CC", "AA"], until="ended", patience_s=0)
    assert server.asked[-1] == "/controls/AA"
