"""What curves of each type may say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.curves import DISPLACEMENT, KINDS, MODES, MOST_POINTS, BadCurve, Curve, Point, check, plain, scaled
from sep2.wire import DERControlBase, DERCurveLink, DERCurveType, DERUnitRefType

VOLT_VAR = [Point(92, 44), Point(98, 0), Point(102, 0), Point(108, -44)]
LVRT = [Point(0, 50), Point(2, 50), Point(2, 70), Point(21, 70), Point(21, 88)]
WATT_PF = [Point(0, 1, False), Point(50, 1, True), Point(100, 0.95, True)]


def numbers(axis):
    """Numbers on an axis as people write them, with up to three digits behind the point."""
    return st.integers(axis.least * 1000, axis.most * 1000).map(lambda thousandths: thousandths / 1000)


@st.composite
def curves(draw):
    """A curve that a device can read as it is meant."""
    kind = draw(st.sampled_from(DERCurveType))
    relates = KINDS[kind]
    xs = sorted(draw(st.lists(numbers(relates.x), min_size=1, max_size=MOST_POINTS, unique=not relates.steps)))
    excitation = st.booleans() if relates.y is DISPLACEMENT else st.none()
    points = [Point(x, draw(numbers(relates.y)), draw(excitation)) for x in xs]
    return Curve(kind=kind, points=points, reference=draw(st.sampled_from([None, *relates.references])))


@given(curves())
def test_what_relates_one_y_to_each_x_is_taken(curve):
    assert check(curve) is curve
    assert curve.y_ref in KINDS[curve.kind].references


@given(curves())
def test_points_are_sent_without_loss(curve):
    for axis in (0, 1):
        said = [point[axis] for point in curve.points]
        multiplier, values = scaled(said, "it")
        assert [plain(value, multiplier) for value in values] == said
        assert -9 <= multiplier <= 0
        assert all(abs(value) < 2**31 for value in values)
        assert multiplier == 0 or any(value % 10 for value in values), "no more digits than it needs"


@given(curves(), st.data())
def test_one_point_out_of_its_place_is_refused(curve, data):
    relates = KINDS[curve.kind]
    at = data.draw(st.integers(0, len(curve.points) - 1))
    over = data.draw(st.sampled_from([relates.x.least - 1, relates.x.most + 1, math.inf, math.nan]))
    wrong = [*curve.points[:at], curve.points[at]._replace(x=over), *curve.points[at + 1 :]]
    with pytest.raises(BadCurve, match=f"points: point {at + 1}: x"):
        check(Curve(kind=curve.kind, points=wrong))


@given(curves())
def test_points_the_other_way_round_are_refused(curve):
    back = list(reversed(curve.points))
    if len({point.x for point in back}) > 1:
        with pytest.raises(BadCurve, match="from the least x to the most"):
            check(Curve(kind=curve.kind, points=back))


def test_every_mode_that_links_to_a_curve_has_a_type():
    links = {name for name, said in DERControlBase.__annotations__.items() if DERCurveLink.__name__ in str(said)}
    assert links == MODES.keys()


@pytest.mark.parametrize(
    ("why", "kind", "points", "more"),
    [
        ("var fall as voltage rises", "opModVoltVar", VOLT_VAR, {"v_ref": 9800, "autonomous_v_ref": True}),
        ("no dead band: two points are one", "opModVoltVar", [Point(90, 25), Point(100, 0), Point(100, 0)], {}),
        ("an edge in time", "opModLVRTMustTrip", LVRT, {}),
        ("power factor 1 is neither", "opModWattPF", WATT_PF, {}),
        ("one point", "opModHFRTMustTrip", [Point(0.16, 62)], {}),
        ("of the other kind of power", "opModVoltWatt", [Point(106, 100)], {"reference": DERUnitRefType.statWAvail}),
    ],
)
def test_curves_that_there_are(why, kind, points, more):
    assert check(Curve(kind=DERCurveType[kind], points=points, **more))


@pytest.mark.parametrize(
    ("kind", "points", "more", "refusal"),
    [
        ("opModVoltVar", [], {}, "there are 0"),
        ("opModVoltVar", [Point(90 + n, 0) for n in range(11)], {}, "there are 11"),
        ("opModVoltVar", [Point(98, 44), Point(98, 0)], {}, "stands y 44 already"),
        ("opModVoltVar", [Point(9800, 44)], {}, "outside 0..200 % of setVRef"),
        ("opModVoltVar", [Point(98, 44, True)], {}, "excitation"),
        ("opModWattPF", [Point(50, 0.9)], {}, "excitation"),
        ("opModWattPF", [Point(50, 95, True)], {}, "outside 0..1 power factor"),
        ("opModVoltWatt", [Point(106, -1)], {}, "outside 0..100 % of power"),
        ("opModFreqWatt", [Point(0.2, 100)], {}, "outside 40..70 Hz"),
        ("opModVoltVar", VOLT_VAR, {"reference": DERUnitRefType.statWAvail}, "setMaxVar or setMaxW or statVarAvail"),
        ("opModVoltWatt", [Point(106, 100)], {"v_ref": 9800}, "of opModVoltVar only"),
        ("opModVoltVar", VOLT_VAR, {"autonomous_v_ref_tms": 5}, "which is not on"),
    ],
)
def test_curves_that_mean_nothing(kind, points, more, refusal):
    with pytest.raises(BadCurve, match=refusal):
        check(Curve(kind=DERCurveType[kind], points=points, **more))


def test_more_digits_than_the_wire_has():
    with pytest.raises(BadCurve, match="more digits"):
        scaled([0.12345678901], "x")
    with pytest.raises(BadCurve, match="more digits"):
        scaled([86_400, 0.000001], "x")
