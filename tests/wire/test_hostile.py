"""Documents made to hurt: each is refused, in bounded memory, and before it can do anything."""

import subprocess
import sys

import pytest

from sep2 import wire as w
from sep2.wire.parse import DEEPEST, LARGEST
from tests.wire import worst

NS = "urn:ieee:std:2030.5:ns"
TIME = f'<Time xmlns="{NS}"><currentTime>%s</currentTime></Time>'
BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


def says(document: bytes | str, largest: int = LARGEST) -> str:
    data = document.encode() if isinstance(document, str) else document
    with pytest.raises(w.WireError) as caught:
        w.decode(data, profile=w.Profile.CSIP, largest=largest)
    assert caught.value.status == 400
    assert caught.value.reason == 0
    said = str(caught.value)
    assert len(said) < 300
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    "document",
    [
        f'<!DOCTYPE Time [<!ENTITY a0 "ha">{BOMB}]>{TIME % "&a9;"}',
        f'<!DOCTYPE Time [<!ENTITY x SYSTEM "file:///etc/passwd">]>{TIME % "&x;"}',
        f'<!DOCTYPE Time [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]>{TIME % "1"}',
        f'<!DOCTYPE Time SYSTEM "http://127.0.0.1:1/x.dtd">{TIME % "1"}',
        f"<?xml version='1.0'?>\n<!-- <!DOCTYPE no> --><?p i?> <!DOCTYPE Time>{TIME % '1'}",
        f"\ufeff<!DOCTYPE Time>{TIME % '1'}",
    ],
)
def test_a_document_type_is_refused_unread(document: str) -> None:
    assert says(document) == "a document type declaration is refused"


def test_words_of_a_document_type_inside_are_only_text() -> None:
    label = w.DERProgram(mRID=w.HexBinary("01"), primacy=1, description="<!DOCTYPE x>")
    assert w.decode(w.encode(label, w.Profile.CSIP), profile=w.Profile.CSIP) == label
    assert "not well-formed" in says(TIME % "<!DOCTYPE x>")


def test_entities_that_nobody_declared() -> None:
    assert "not well-formed" in says(TIME % "&nbsp;")


@pytest.mark.parametrize("depth", [DEEPEST + 1, 200, 100_000])
def test_deep_nesting(depth: int) -> None:
    nested = f'<v:a xmlns:v="urn:v">{"<v:a>" * depth}{"</v:a>" * depth}</v:a>'
    said = says(f'<Time xmlns="{NS}">{nested}</Time>')
    assert said == f"Time: elements are nested more than {DEEPEST} levels deep" or "not well-formed" in said


def test_as_deep_as_allowed() -> None:
    nested = f"{'<v:a>' * (DEEPEST - 1)}{'</v:a>' * (DEEPEST - 1)}"
    document = f'<Error xmlns="{NS}" xmlns:v="urn:v"><v:a>{nested}</v:a><reasonCode>1</reasonCode></Error>'
    assert w.decode(document.encode(), profile=w.Profile.CSIP) == w.Error(reasonCode=1)


def test_a_notification_in_a_notification_and_so_on() -> None:
    start = '<Resource xsi:type="Notification"><subscribedResource>/a</subscribedResource>'
    end = "<status>0</status><subscriptionURI>/b</subscriptionURI></Resource>"
    root = f'<Notification xmlns="{NS}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><subscribedResource>/a</subscribedResource>'
    close = "<status>0</status><subscriptionURI>/b</subscriptionURI></Notification>"
    assert "levels deep" in says(root + start * 100 + end * 100 + close)
    assert isinstance(w.decode((root + start * 20 + end * 20 + close).encode(), profile=w.Profile.CSIP), w.Notification)


def test_large_documents() -> None:
    assert says(TIME % ("9" * LARGEST)) == f"the document has {len(TIME % '') + LARGEST} octets, {LARGEST} are read"
    assert says(TIME % "1", largest=10) == f"the document has {len(TIME % '1')} octets, 10 are read"


def test_the_worst_of_the_size_allowed_is_refused_in_bounded_memory_and_time() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.wire.worst"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(worst.DOCUMENTS)
    assert all(len(line) < 300 for line in lines)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\x00",
        b"not xml",
        b"<",
        b"<Time",
        b"<?xml",
        b"\xef\xbb\xbf",
        TIME.encode()[:-3],
        (TIME % "1").encode() + b"x",
        (TIME % "1").encode() * 2,
        (TIME % "1").encode().replace(b"1", b"\xff"),
        (TIME % "1").encode().replace(b"1", b"\xc0\x80"),
        (TIME % "1").encode().replace(b"1", b"\xed\xa0\x80"),
        (TIME % "1").encode().replace(b"1", b"\x00"),
        (TIME % "1").encode().replace(b"1", b"&#0;"),
        (TIME % "1").encode().replace(b"1", b"&#x110000;"),
        (TIME % "1").encode("utf-16"),
        (TIME % "1").encode("utf-32"),
        b"<a:Time/>",
        f'<Time xmlns="{NS}" href="1" href="2"/>'.encode(),
        f'<Time xmlns="{NS}" xmlns="{NS}"/>'.encode(),
        b"\x1f\x8b\x08\x00" + b"\x00" * 40,
    ],
)
def test_what_is_no_document(data: bytes) -> None:
    assert says(data)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "EBCDIC-CP-US", "x"])
def test_other_encodings(encoding: str) -> None:
    assert says(f"<?xml version='1.0' encoding='{encoding}'?>{TIME % '1'}") == "only UTF-8 is read"


@pytest.mark.parametrize("digits", [41, 5000, 100_000])
def test_long_numbers(digits: int) -> None:
    with pytest.raises(
        w.WireError, match=r"^Time: currentTime: '9{,60}\.\.\. is not TimeType|^Time: currentTime: '?9+"
    ):
        w.decode((TIME % ("9" * digits)).encode(), profile=w.Profile.CSIP)
