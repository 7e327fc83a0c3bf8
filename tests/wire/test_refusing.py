"""What is refused on reading: one line that names the place, the value and the bound, and the reason code."""

import pytest

from sep2 import wire as w
from tests.wire import samples

CSIP, AUS, AUS13 = w.Profile
NS = "urn:ieee:std:2030.5:ns"


def refusal(document: bytes | str, profile: w.Profile = CSIP, *, ordered: bool = True) -> w.WireError:
    data = document.encode() if isinstance(document, str) else document
    with pytest.raises(w.WireError) as caught:
        w.decode(data, profile=profile, ordered=ordered)
    assert caught.value.status == 400
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    return caught.value


def test_the_line_of_the_issue() -> None:
    document = w.encode(samples.CONTROL, CSIP).replace(b"<duration>300<", b"<duration>-3<")
    found = refusal(document)
    assert (str(found), found.reason) == ("DERControl: interval: duration: -3 is outside 0..4294967295", 1)


@pytest.mark.parametrize(
    ("old", "new", "reason", "says"),
    [
        ("<value>1500<", "<value>40000<", 1, "DERControlBase: opModExpLimW: value: 40000 is outside -32768..32767"),
        ("<value>1500<", "<value>1 5<", 1, "DERControlBase: opModExpLimW: value: '1 5' is not Int16 (-32768..32767)"),
        ("<value>1500<", "<value>1_5<", 1, "DERControlBase: opModExpLimW: value: '1_5' is not Int16 (-32768..32767)"),
        ("<value>1500<", "<value>１５<", 1, "DERControlBase: opModExpLimW: value: '１５' is not Int16 (-32768..32767)"),
        ("<value>1500<", "<value>1.5<", 1, "DERControlBase: opModExpLimW: value: '1.5' is not Int16 (-32768..32767)"),
        (
            "<value>1500<",
            "<value/><value>1<",
            1,
            "DERControlBase: opModExpLimW: value: '' is not Int16 (-32768..32767)",
        ),
        ("<value>1500</value>", "", 0, "DERControlBase: opModExpLimW: value: is missing"),
        ("<value>1500<", "<value>1</value><value>2<", 0, "DERControlBase: opModExpLimW: value: stands more than once"),
        (
            "<value>1500<",
            '<value x="1">15<',
            0,
            "DERControlBase: opModExpLimW: value: x: is not an attribute of a simple type",
        ),
        (
            "<value>1500<",
            "<value><a/>15<",
            0,
            "DERControlBase: opModExpLimW: value: a: is not an element of a simple type",
        ),
        (">true<", ">yes<", 1, "DERControlBase: opModEnergize: 'yes' is not xs:boolean (true, false, 1, 0)"),
        (">5000<", ">10001<", 1, "DERControlBase: opModMaxLimW: 10001 is outside 0..10000"),
        ("<opModMaxLimW>", "stray<opModMaxLimW>", 0, "DERControlBase: opModEnergize: 'stray' stands behind it"),
        ("<opModEnergize>", "stray<opModEnergize>", 0, "DERControlBase: 'stray' stands before its elements"),
        (
            "<opModEnergize>",
            "<opModX/><opModEnergize>",
            0,
            "DERControlBase: opModX: is not an element of DERControlBase",
        ),
        (
            "csipaus:opModExpLimW>",
            "opModExpLimW>",
            0,
            "DERControlBase: opModExpLimW: is in namespace 'urn:ieee:std:2030.5:ns', not in https://csipaus.org/ns",
        ),
        ("opModMaxLimW>", "csipaus:opModMaxLimW>", None, ""),
    ],
)
def test_elements(old: str, new: str, reason: int | None, says: str) -> None:
    document = w.encode(samples.LIMITS, AUS).decode().replace(old, new)
    if reason is None:  # an element that no csipaus schema has is a foreign one
        assert isinstance(w.decode(document.encode(), profile=AUS), w.DERControlBase)
        return
    found = refusal(document, AUS)
    assert (str(found), found.reason) == (says, reason)


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ('results="0"', None),
        ('all="-1"', "all: -1 is outside 0..4294967295"),
        ('all="x"', "all: 'x' is not UInt32 (0..4294967295)"),
        ('all="1" nonsense="2"', "nonsense: is not an attribute of EndDeviceList"),
        ('all="1" pollRate="1_0"', "pollRate: '1_0' is not UInt32 (0..4294967295)"),
        ('all="1" subscribable="256"', "subscribable: 256 is outside 0..255"),
    ],
)
def test_attributes(attributes: str, says: str | None) -> None:
    document = f'<EndDeviceList xmlns="{NS}" {attributes}/>'
    if says is None:
        assert w.decode(document.encode(), profile=CSIP) == w.EndDeviceList(all=0, results=0)
    else:
        assert str(refusal(document)) == f"EndDeviceList: {says}"


def test_a_link_needs_its_address() -> None:
    assert str(refusal(f'<DERListLink xmlns="{NS}" all="1"/>')) == "DERListLink: href: is missing"
    assert str(refusal(f'<DERListLink xmlns="{NS}" href="/a"><b/></DERListLink>')) == (
        "DERListLink: b: is not an element of DERListLink"
    )


@pytest.mark.parametrize(
    ("mrid", "fits"),
    [("0" * 32, True), ("0" * 34, False), ("123", False), ("xy", False), ("0x12", False), ("12 34", False), ("", True)],
)
def test_mrids(mrid: str, fits: bool) -> None:
    document = w.encode(samples.PROGRAM, CSIP).decode().replace(str(samples.PROGRAM.mRID), mrid)
    if fits:
        assert isinstance(w.decode(document.encode(), profile=CSIP), w.DERProgram)
    else:
        assert str(refusal(document)) == f"DERProgram: mRID: '{mrid}' is not mRIDType (at most 16 octets)"


@pytest.mark.parametrize(("text", "fits"), [("x" * 32, True), ("x" * 33, False), ("é" * 16, True), ("é" * 17, False)])
def test_texts_are_bounded_in_characters_and_octets(text: str, fits: bool) -> None:
    document = w.encode(samples.PROGRAM, CSIP).decode().replace(">limits<", f">{text}<")
    if fits:
        assert isinstance(w.decode(document.encode(), profile=CSIP), w.DERProgram)
    else:
        found = str(refusal(document))
        assert found == f"DERProgram: description: '{text}' has {len(text.encode())} octets, more than 32"


@pytest.mark.parametrize("points", [0, 1, 10, 11])
def test_a_curve_has_one_to_ten_points(points: int) -> None:
    point = "<CurveData><xvalue>207</xvalue><yvalue>100</yvalue></CurveData>"
    other = "<CurveData><xvalue>265</xvalue><yvalue>20</yvalue></CurveData>"
    document = w.encode(samples.CURVE, CSIP).decode().replace(other, "").replace(point, point * points)
    if 1 <= points <= 10:
        assert isinstance(w.decode(document.encode(), profile=CSIP), w.DERCurve)
    else:
        assert str(refusal(document)) == f"DERCurve: CurveData: stands {points} times, not 1..10"


@pytest.mark.parametrize("namespace", ["http://zigbee.org/sep", "http://ieee.org/2030.5"])
def test_draft_namespaces_are_named(namespace: str) -> None:
    assert str(refusal(f'<EndDevice xmlns="{namespace}"/>')) == (
        f"EndDevice: {namespace} is the namespace of a draft before 2018; urn:ieee:std:2030.5:ns is read"
    )


def test_draft_names_are_named() -> None:
    document = w.encode(samples.DER_CAPABILITY, CSIP).replace(b"rtgMaxW>", b"rtgW>")
    assert str(refusal(document)) == (
        "DERCapability: rtgW: is a name of a draft before 2018; the standard says rtgMaxW"
    )


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("<EndDevice/>", "EndDevice is not a class of no namespace"),
        ('<EndDevice xmlns="urn:x"/>', "EndDevice is not a class of urn:x"),
        (f'<Nothing xmlns="{NS}"/>', f"Nothing is not a class of {NS}"),
        (f'<ConnectionPoint xmlns="{NS}"/>', f"ConnectionPoint is not a class of {NS}"),
        (f'<mRIDType xmlns="{NS}">01</mRIDType>', f"mRIDType is not a class of {NS}"),
    ],
)
def test_roots(document: str, says: str) -> None:
    assert str(refusal(document)) == says


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("xsi:type='ActivePower'", "xsi:type ActivePower is not a Resource"),
        ("xsi:type='Nothing'", "xsi:type Nothing is not a Resource"),
        ("xsi:type='csipaus:Time'", "xsi:type csipaus:Time is not a Resource"),
        ("", "currentTime: is not an element of Resource"),
    ],
)
def test_the_class_of_a_notified_resource(kind: str, says: str) -> None:
    notification = w.Notification(subscribedResource="/a", Resource=samples.TIME, status=0, subscriptionURI="/b")
    document = w.encode(notification, AUS).decode().replace('xsi:type="Time"', kind).replace(' pollRate="900"', "")
    assert str(refusal(document, AUS)) == f"Notification: Resource: {says}"


def test_an_element_that_says_another_class_is_refused() -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    document = w.encode(samples.CONTROL, CSIP).decode().replace("<interval>", f'<interval {xsi} xsi:type="Time">')
    assert str(refusal(document)) == "DERControl: interval: xsi:type Time is not DateTimeInterval"


def test_without_order_the_rest_is_still_refused() -> None:
    twice = w.encode(samples.CONTROL.interval, CSIP).replace(b"<start>", b"<duration>3</duration><start>")
    assert str(refusal(twice, ordered=False)) == "DateTimeInterval: duration: stands more than once"
    strange = w.encode(samples.CONTROL.interval, CSIP).replace(b"<start>", b"<a/><start>")
    assert str(refusal(strange, ordered=False)) == "DateTimeInterval: a: is not an element of DateTimeInterval"
    missing = f'<DateTimeInterval xmlns="{NS}"><start>3</start></DateTimeInterval>'
    assert str(refusal(missing, ordered=False)) == "DateTimeInterval: duration: is missing"


def test_what_only_another_profile_has_in_the_base_namespace() -> None:
    link = '<RateComponentLink href="/x"/>'
    start = (
        '<TimeTariffInterval xmlns="urn:ieee:std:2030.5:ns"><mRID>01</mRID><creationTime>1</creationTime><EventStatus>'
    )
    status = "<currentStatus>0</currentStatus><dateTime>1</dateTime><potentiallySuperseded>0</potentiallySuperseded>"
    end = "</EventStatus><interval><duration>1</duration><start>1</start></interval><touTier>0</touTier>"
    document = f"{start}{status}{end}{link}</TimeTariffInterval>"
    assert str(refusal(document, AUS)) == (
        "TimeTariffInterval: RateComponentLink: is not an element of TimeTariffInterval"
    )
    assert str(refusal(document, AUS13)) == ("TimeTariffInterval: ConsumptionTariffIntervalListSummary: is missing")
