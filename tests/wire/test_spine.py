"""The codec on the classes every job needs."""

import pytest

from sep2 import wire as w

AUS = w.Profile.CSIP_AUS_1_2


def test_a_control_returns_as_it_was_sent() -> None:
    control = w.DERControl(
        href="/edev/1/derp/1/derc/1",
        mRID=w.HexBinary("01" * 12 + "00032473"),
        creationTime=1_700_000_000,
        EventStatus=w.EventStatus(currentStatus=0, dateTime=1_700_000_000, potentiallySuperseded=False),
        interval=w.DateTimeInterval(duration=300, start=1_700_000_300),
        DERControlBase=w.DERControlBase(opModExpLimW=w.ActivePower(multiplier=0, value=1500)),
    )
    sent = w.DERControlList(all=1, DERControl=[control])
    data = w.encode(sent, AUS)
    assert b'xmlns:csipaus="https://csipaus.org/ns"' in data
    assert w.decode(data, w.DERControlList, profile=AUS) == sent


def test_a_refusal_names_the_place() -> None:
    data = (
        b'<DateTimeInterval xmlns="urn:ieee:std:2030.5:ns"><duration>-3</duration><start>0</start></DateTimeInterval>'
    )
    with pytest.raises(w.WireError, match=r"^DateTimeInterval: duration: -3 is outside 0\.\.4294967295$"):
        w.decode(data, profile=AUS)
