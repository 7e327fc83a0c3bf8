"""Any legal form of a document is read, whatever its dress; the named leniencies hold."""

import pytest

from sep2 import wire as w
from sep2.wire.profile import CSIP_AUS_KNOWN
from tests.wire import samples

CSIP, AUS, AUS13 = w.Profile
NS = "urn:ieee:std:2030.5:ns"
INTERVAL = w.DateTimeInterval(duration=5, start=-3)


def read(text: str, profile: w.Profile = CSIP, *, ordered: bool = True, extensions: bool = True) -> object:
    return w.decode(text.encode(), profile=profile, ordered=ordered, extensions=extensions)


def interval(inside: str, attributes: str = "") -> str:
    return f'<DateTimeInterval xmlns="{NS}" {attributes}>{inside}</DateTimeInterval>'


@pytest.mark.parametrize(
    ("why", "document"),
    [
        ("plain", interval("<duration>5</duration><start>-3</start>")),
        (
            "declaration",
            '<?xml version="1.0" encoding="UTF-8"?>\n' + interval("<duration>5</duration><start>-3</start>"),
        ),
        ("byte order mark", "\ufeff" + interval("<duration>5</duration><start>-3</start>")),
        ("white space", interval("\n  <duration> 5\n</duration>\t<start>\t-3 </start>\r\n")),
        ("signs and zeros", interval("<duration>+05</duration><start>-003</start>")),
        ("CDATA", interval("<duration><![CDATA[5]]></duration><start><![CDATA[-]]>3</start>")),
        ("comments", interval("<!-- a --><duration>5<!-- b --></duration><start>-<!-- c -->3</start><!-- d -->")),
        ("instructions", f"<?a b?>{interval('<duration>5</duration><?c d?><start>-3</start>')}<?e?>"),
        ("references", interval("<duration>&#53;</duration><start>&#x2d;3</start>")),
        ("prefix", interval("<s:duration>5</s:duration><s:start>-3</s:start>", f'xmlns:s="{NS}"')),
        ("a namespace twice", interval(f'<duration xmlns="{NS}">5</duration><start>-3</start>')),
        ("schemaVer of 2023", interval("<duration>5</duration><start>-3</start>", 'schemaVer="2.2"')),
        (
            "schemaLocation",
            interval(
                "<duration>5</duration><start>-3</start>",
                f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{NS} sep.xsd"',
            ),
        ),
        (
            "its own xsi:type",
            interval(
                "<duration>5</duration><start>-3</start>",
                'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="DateTimeInterval"',
            ),
        ),
    ],
)
def test_legal_xml(why: str, document: str) -> None:
    assert read(document) == INTERVAL, why


def test_attributes_in_any_order_with_any_quotes() -> None:
    assert read(f"<EndDeviceList results='0' pollRate='30' xmlns='{NS}' all='4' href=' /edev '/>") == w.EndDeviceList(
        all=4, results=0, pollRate=30, href="/edev"
    )


def test_order_is_enforced_or_not() -> None:
    swapped = interval("<start>-3</start><duration>5</duration>")
    assert read(swapped, ordered=False) == INTERVAL
    with pytest.raises(
        w.WireError, match=r"^DateTimeInterval: duration: stands after start; the schema has it before$"
    ):
        read(swapped)


def test_foreign_elements_and_attributes_are_skipped_or_refused() -> None:
    foreign = interval(
        '<v:a xmlns:v="urn:v"><v:b>1</v:b></v:a><duration>5</duration><start v:c="1" xmlns:v="urn:v">-3</start>',
        'xmlns:v="urn:v" v:d="x"',
    )
    assert read(foreign) == INTERVAL
    with pytest.raises(w.WireError, match=r"not part of the base schema|is not an attribute"):
        read(foreign, extensions=False)


@pytest.mark.parametrize("namespace", CSIP_AUS_KNOWN)
@pytest.mark.parametrize("profile", list(w.Profile))
def test_csipaus_of_any_version_is_read(namespace: str, profile: w.Profile) -> None:
    document = w.encode(samples.DER_CAPABILITY, AUS).replace(b'"https://csipaus.org/ns"', f'"{namespace}"'.encode())
    assert w.decode(document, profile=profile) == samples.DER_CAPABILITY


def test_of_two_csipaus_versions_the_profile_reads_its_own() -> None:
    old, new = (
        f'<c:doeModesSupported xmlns:c="{n}">{v}</c:doeModesSupported>'
        for n, v in [(CSIP_AUS_KNOWN[0], "01"), (CSIP_AUS_KNOWN[1], "0F")]
    )
    plain = w.encode(samples.DER_CAPABILITY, CSIP).decode().removesuffix("</DERCapability>")
    for profile, value in [(AUS, 1), (AUS13, 15)]:
        found = read(f"{plain}{old}{new}</DERCapability>", profile)
        assert isinstance(found, w.DERCapability)
        assert found.doeModesSupported == value


def test_csipaus_is_refused_from_a_peer_of_the_base_schema() -> None:
    with pytest.raises(w.WireError, match=r"opModImpLimW: https://csipaus.org/ns is not part of the base schema"):
        w.decode(w.encode(samples.CONTROL, AUS), profile=CSIP, extensions=False)
    assert w.decode(w.encode(samples.CONTROL, AUS), profile=AUS, extensions=False) == samples.CONTROL


def test_doe_modes_are_required_of_csip_aus_clients_only() -> None:
    without = w.encode(samples.DER_CAPABILITY, CSIP)
    assert isinstance(w.decode(without, profile=CSIP), w.DERCapability)
    with pytest.raises(w.WireError, match=r"^DERCapability: doeModesSupported: is missing$"):
        w.decode(without, profile=AUS)


def test_lists_without_all_and_results_are_counted() -> None:
    reading = w.encode(samples.MIRROR_READING, CSIP).decode().replace(f' xmlns="{NS}"', "")
    found = read(f'<MirrorMeterReadingList xmlns="{NS}">{reading}{reading}</MirrorMeterReadingList>')
    assert found == w.MirrorMeterReadingList(all=2, results=2, MirrorMeterReading=[samples.MIRROR_READING] * 2)


@pytest.mark.parametrize("space", [NS, *CSIP_AUS_KNOWN])
def test_the_old_name_of_a_connection_point_id(space: str) -> None:
    document = f'<c:ConnectionPoint xmlns:c="{CSIP_AUS_KNOWN[0]}"><id xmlns="{space}">NMI7</id></c:ConnectionPoint>'
    assert read(document, AUS) == w.ConnectionPoint(connectionPointId="NMI7")


def test_unknown_code_numbers_stay_numbers() -> None:
    error = read(f'<Error xmlns="{NS}"><reasonCode>77</reasonCode></Error>')
    known = read(f'<Error xmlns="{NS}"><reasonCode>4</reasonCode></Error>')
    assert isinstance(error, w.Error)
    assert isinstance(known, w.Error)
    assert (error.reasonCode, type(error.reasonCode)) == (77, int)
    assert known.reasonCode is w.ReasonCode.TOO_FREQUENT


@pytest.mark.parametrize("sent", ["03", "00000003", "0f", "0000", ""])
def test_bitmaps_return_as_long_as_they_were_sent(sent: str) -> None:
    document = w.encode(samples.DER_SETTINGS, CSIP).replace(b">00500088<", f">{sent}<".encode())
    found = w.decode(document, w.DERSettings, profile=CSIP)
    assert str(found.modesEnabled) == sent.upper()
    assert w.encode(found, CSIP) == document.replace(b"0f", b"0F")


@pytest.mark.parametrize("sent", ["01", "0000000000000000000000000000000001"[2:], "aB"])
def test_identifiers_are_compared_by_value_and_written_in_full(sent: str) -> None:
    document = w.encode(samples.PROGRAM, CSIP).replace(str(samples.PROGRAM.mRID).encode(), sent.encode())
    found = w.decode(document, w.DERProgram, profile=CSIP)
    assert found.mRID == int(sent, 16)
    assert str(found.mRID) == sent.upper().zfill(32)
    assert f"<mRID>{sent.upper().zfill(32)}</mRID>".encode() in w.encode(found, CSIP)


def test_a_notification_holds_any_class() -> None:
    for resource in (
        samples.CONTROLS,
        samples.DEFAULT,
        samples.DEVICE,
        samples.CONNECTION_POINT,
        w.Resource(href="/x"),
    ):
        sent = w.Notification(subscribedResource="/a", Resource=resource, status=0, subscriptionURI="/b")
        document = w.encode(sent, AUS)
        kind = "csipaus:ConnectionPointType" if resource is samples.CONNECTION_POINT else type(resource).__name__
        assert f'<Resource xsi:type="{kind}"'.encode() in document
        assert w.decode(document, w.Notification, profile=AUS) == sent


def test_xsi_type_with_a_prefix_and_on_the_root() -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    inside = w.encode(samples.RESPONSE, CSIP).decode().partition(">")[2].removesuffix("</DERControlResponse>")
    root = f'<Response xmlns="{NS}" xmlns:s="{NS}" {xsi} xsi:type="s:DERControlResponse">{inside}</Response>'
    assert read(root) == samples.RESPONSE
    listed = f'<ResponseList xmlns="{NS}" {xsi} all="1" results="1">{root}</ResponseList>'
    assert read(listed) == w.ResponseList(all=1, Response=[samples.RESPONSE])


def test_only_expected_classes_are_read() -> None:
    document = w.encode(samples.RESPONSE, CSIP)
    assert w.decode(document, w.Response, profile=CSIP) == samples.RESPONSE
    with pytest.raises(w.WireError, match=r"^DERControlResponse is not DERStatus or DERSettings$"):
        w.decode(document, w.DERStatus, w.DERSettings, profile=CSIP)
