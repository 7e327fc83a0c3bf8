"""What documents look like, and what can not be written."""

import dataclasses
from typing import Any

import pytest

from sep2 import wire as w
from tests.wire import samples

CSIP, AUS, AUS13 = w.Profile


def changed(sample: Any, **changes: Any) -> Any:
    return dataclasses.replace(sample, **changes)


def test_the_base_profile_has_nothing_of_csipaus() -> None:
    for sample in (samples.CONTROLS, samples.DER_CAPABILITY, samples.DER_SETTINGS, samples.DEVICE):
        assert b"csipaus" not in w.encode(sample, CSIP)


def test_csip_aus_documents_declare_it_always_and_only_their_own() -> None:
    for profile in (AUS, AUS13):
        document = w.encode(samples.TIME, profile)
        assert f'xmlns:csipaus="{profile.extension}"'.encode() in document
        assert document.count(b"xmlns:csipaus") == 1


def test_what_only_1_3_has_is_written_for_1_3_only() -> None:
    control = changed(samples.LIMITS, opModStorageTargetW=samples.power(-2000))
    assert b"opModStorageTargetW" not in w.encode(control, AUS)
    assert b"</csipaus:opModLoadLimW><csipaus:opModStorageTargetW>" in w.encode(control, AUS13)


def test_extensions_come_last_and_in_order() -> None:
    document = w.encode(samples.LIMITS, AUS).decode()
    names = ["opModEnergize", "opModMaxLimW", *(f"csipaus:opMod{n}LimW" for n in ("Imp", "Exp", "Gen", "Load"))]
    places = [document.index(f"<{name}>") for name in names]
    assert places == sorted(places)


def test_no_declaration_no_prefix_and_empty_links_closed() -> None:
    document = w.encode(samples.CAPABILITY, CSIP).decode()
    assert document.startswith('<DeviceCapability xmlns="urn:ieee:std:2030.5:ns" href="/dcap" pollRate="300">')
    assert '<TimeLink href="/tm"/>' in document


def test_results_are_counted_when_written() -> None:
    page = changed(samples.CONTROLS, all=7)
    assert page.results == 1
    page.DERControl.append(samples.CONTROL)
    assert b'all="7" results="2"' in w.encode(page, CSIP)
    page.DERControl.pop()


def test_text_survives_whatever_it_holds() -> None:
    said = "a&b<c>\"d'\t\n\r é ]]>"
    program = changed(samples.PROGRAM, description=said, href='/a?b=1&c="2"\'')
    assert w.decode(w.encode(program, CSIP), profile=CSIP) == program


def test_codes_and_bitmaps_may_be_plain_numbers_or_named() -> None:
    named = changed(samples.DER_SETTINGS, modesEnabled=w.DERControlType.opModMaxLimW | w.DERControlType.opModConnect)
    assert b"<modesEnabled>100004</modesEnabled>" in w.encode(named, CSIP)
    status = changed(samples.CONTROL.EventStatus, currentStatus=4)
    assert w.encode(status, CSIP) == w.encode(changed(status, currentStatus=w.CurrentStatus.SUPERSEDED), CSIP)


LATE = changed(samples.CONTROL, interval=w.DateTimeInterval(duration=-3, start=0))


@pytest.mark.parametrize(
    ("sample", "reason", "says"),
    [
        (samples.power(40000), 1, "ActivePower: value: 40000 is outside -32768..32767"),
        (samples.power(1.5), 1, "ActivePower: value: 1.5 is not Int16 (-32768..32767)"),  # type: ignore[arg-type]
        (samples.power(True), 1, "ActivePower: value: True is not Int16 (-32768..32767)"),
        (changed(samples.TIME, quality=None), 0, "Time: quality: is missing"),
        (
            changed(samples.CONTROLS, DERControl=[LATE]),
            1,
            "DERControlList: DERControl: interval: duration: -3 is outside 0..4294967295",
        ),
        (
            changed(samples.PROGRAM, description="x" * 33),
            1,
            f"DERProgram: description: '{'x' * 33}' has 33 octets, more than 32",
        ),
        (
            changed(samples.PROGRAM, description="é" * 17),
            1,
            f"DERProgram: description: '{'é' * 17}' has 34 octets, more than 32",
        ),
        (
            changed(samples.PROGRAM, description="\x00"),
            1,
            r"DERProgram: description: '\x00' is not String32 (at most 32 characters and UTF-8 octets)",
        ),
        (changed(samples.PROGRAM, mRID="AB"), 1, "DERProgram: mRID: 'AB' is not mRIDType (at most 16 octets)"),
        (
            changed(samples.DER_STATUS, alarmStatus=1 << 32),
            1,
            "DERStatus: alarmStatus: 4294967296 is not HexBinary32 (at most 4 octets)",
        ),
        (
            changed(samples.LIMITS, opModEnergize="yes"),
            1,
            "DERControlBase: opModEnergize: 'yes' is not xs:boolean (true, false, 1, 0)",
        ),
        (changed(samples.LIMITS, opModImpLimW=5), 1, "DERControlBase: opModImpLimW: int is not ActivePower"),
        (changed(samples.CURVE, CurveData=[]), 1, "DERCurve: CurveData: has 0 items, not 1..10"),
        (
            changed(samples.CURVE, CurveData=samples.CURVE.CurveData * 6),
            1,
            "DERCurve: CurveData: has 12 items, not 1..10",
        ),
        (changed(samples.DER_CAPABILITY, doeModesSupported=None), 0, "DERCapability: doeModesSupported: is missing"),
        (
            changed(samples.NOTIFICATION, Resource=samples.LIMITS),
            1,
            "Notification: Resource: DERControlBase is not Resource",
        ),
        (5, 0, "int is not a declared class"),
    ],
)
def test_what_can_not_be_said_is_refused(sample: Any, reason: int, says: str) -> None:
    with pytest.raises(w.WireError) as refusal:
        w.encode(sample, AUS)
    assert str(refusal.value) == says
    assert (refusal.value.status, refusal.value.reason) == (400, reason)
    with pytest.raises(w.WireError):
        w.check(sample, AUS)


def test_a_class_of_another_profile_is_refused() -> None:
    with pytest.raises(w.WireError, match=r"^ConnectionPoint: the profile csip has no such class$"):
        w.encode(samples.CONNECTION_POINT, CSIP)


def test_a_class_without_a_root_says_its_type_on_that_of_its_base() -> None:
    intervals = w.CombinedTimeTariffIntervalList(href="/x", all=0)
    document = w.encode(intervals, AUS13)
    assert document.startswith(b"<TimeTariffIntervalList ")
    assert b'xsi:type="csipaus:CombinedTimeTariffIntervalList"' in document
    assert w.decode(document, w.CombinedTimeTariffIntervalList, profile=AUS13) == intervals


def test_objects_compare_copy_and_show_what_is_set() -> None:
    twin = dataclasses.replace(samples.CONTROL)
    assert twin == samples.CONTROL
    assert twin != changed(twin, version=1)
    assert repr(samples.power(5)) == "ActivePower(multiplier=0, value=5)"
    assert repr(w.TimeLink(href="/tm")) == "TimeLink(href='/tm')"
    assert w.TimeLink(href="/tm") != w.Link(href="/tm")
    assert not hasattr(samples.CONTROL, "__dict__")
    assert not hasattr(w.TimeLink(href="/tm"), "__dict__")


def test_hexbinary_is_a_value_and_a_length() -> None:
    value = w.HexBinary("000f")
    assert (value, str(value), value.octets, repr(value)) == (15, "000F", 2, "HexBinary('000F')")
    assert w.HexBinary(value, 4) == value
    assert str(w.HexBinary(value, 4)) == "0000000F"
    assert str(w.HexBinary(value)) == "000F"
    assert str(w.HexBinary(0)) == "00"
    assert f"{value}" == "000F"
    assert hash(value) == hash(15)
    for wrong in ("0", "0x10", "zz", "12 34", "é1"):
        with pytest.raises(w.WireError, match="is not an even number of hex digits"):
            w.HexBinary(wrong)
    for number, octets in [(-1, None), (256, 1)]:
        with pytest.raises(w.WireError, match="does not fit"):
            w.HexBinary(number, octets)
