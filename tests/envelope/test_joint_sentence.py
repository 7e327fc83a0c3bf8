"""The sentence of a joint verification: excess of base loads and of the firm minimum, told apart as at one level."""

from envelope.medium_voltage.report import JointReport, Part
from envelope.verification import VerificationReport
from envelope.verification.report import Excess, Finding

INSIDE = Finding(-0.1, 0, "node n1, phase a", "sign")


def report(**excess):
    return VerificationReport(INSIDE, INSIDE, INSIDE, "opendss", "all feeders together", 100, 100, **excess)


def test_within_limits_it_says_so():
    joint = JointReport((Part(report(), (0.0, 0.0, 0.0)), Part(report(), (0.0, 0.0, 0.0))))
    assert joint.sentence() == (
        "200 corners of the joined network, judged by opendss: inside the limits"
        " (worst against limit: -0.100 V over, -0.100 V under, -0.10 % load)"
    )


def test_the_worst_of_base_and_firm_over_all_states_is_told_apart():
    base = report(base_excess=(Excess(1.5, "V under", "node n4, phase b", 3),), excused=(0.0, 1.5, 0.0))
    worse = report(
        base_excess=(Excess(2.5, "V under", "node n7, phase b", 3),),
        firm_excess=(Excess(4.0, "V under", "node n7, phase b", 3),),
        excused=(0.0, 4.0, 0.0),
    )
    joint = JointReport((Part(base, (0.0, 1.5, 0.0)), Part(worse, (0.0, 4.0, 0.0))))
    assert joint.inside
    assert joint.sentence() == (
        "200 corners of the joined network, judged by opendss: NOT inside the limits: the base load alone exceeds them"
        " by 2.50 V under (node n7, phase b); what is granted in any case, which with the base load exceeds them by"
        " 4.00 V under (node n7, phase b); envelopes add nothing"
        " (worst against limit or that: -0.100 V over, -0.100 V under, -0.10 % load)"
    )
