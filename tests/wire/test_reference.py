"""The reference page, and the commands that explain and check."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sep2 import wire as w
from sep2.cli.app import app
from sep2.wire.reference import UnknownName, about, page
from sep2.wire.xsd import schemas
from tests.wire import samples

PAGE = Path(__file__).parents[2] / "docs" / "wire.md"


def run(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=given)


def test_the_page_is_what_the_declarations_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "sep2 wire --page > docs/wire.md"


def test_the_example_of_the_page_runs() -> None:
    found = re.search(r"```python\n(.*?)```", page(), re.DOTALL)
    assert found
    exec(found[1], {})


def test_every_class_and_type_is_on_the_page() -> None:
    text = page()
    for name, cls in w.WIRE.items():
        shown = rf"^- {name} \(" if issubclass(cls, w.Link) and cls not in (w.Link, w.ListLink) else f"^### {name}$"
        assert re.search(shown, text, re.MULTILINE), name


def test_a_class_is_shown_with_what_it_inherits() -> None:
    line, columns, rows = about("DERControl")
    assert line == "A control that holds for one interval. Extends RandomizableEvent."
    assert columns[:4] == ("name", "type", "times", "range")
    table = {row[0]: row[1:] for row in rows}
    assert table["@responseRequired"][1] == "0..1"
    assert table["randomizeStart"] == ("OneHourRangeType", "0..1", "-3600..3600", "s", "")
    assert [*table][4:8] == ["mRID", "description", "version", "creationTime"]


def test_codes_and_types_are_shown() -> None:
    assert ("4", "SUPERSEDED") in about("CurrentStatus")[2]
    assert ("00100000", "opModMaxLimW") in about("DERControlType")[2]
    assert about("PerCent")[0] == "A UInt16, 0..10000, 0.01 %."
    assert "CSIP-AUS 1.3" in about("VPPControlType")[0]


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownName, match="DERControl, "):
        about("DERControll")
    result = run("wire", "DERControll")
    assert result.exit_code == 1
    assert "DERControl" in result.stderr


def test_sep2_wire() -> None:
    shown = run("wire", "EventStatus")
    assert shown.exit_code == 0
    assert "currentStatus" in shown.stdout
    said = json.loads(run("wire", "EventStatus", "--json").stdout)
    assert said["rows"][0]["name"] == "currentStatus"
    assert "DERControlList" in run("wire").stdout
    assert run("wire", "--page").stdout == page()


def test_sep2_schema(tmp_path: Path) -> None:
    assert run("schema").stdout == schemas(w.Profile.CSIP)["sep2.xsd"]
    assert (
        run("schema", "--profile", "csip-aus-1.3", "--csipaus").stdout == schemas(w.Profile.CSIP_AUS_1_3)["csipaus.xsd"]
    )
    assert run("schema", "--csipaus").exit_code == 2
    assert run("schema", "--profile", "csip-aus-1.2", "--into", str(tmp_path)).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"sep2.xsd", "csipaus.xsd"}


def test_sep2_validate(tmp_path: Path) -> None:
    good = tmp_path / "good.xml"
    good.write_bytes(w.encode(samples.CONTROL, w.Profile.CSIP))
    assert run("validate", str(good)).stdout == "This is a valid DERControl of csip.\n"
    bad = good.read_bytes().replace(b"<duration>300<", b"<duration>-3<")
    result = run("validate", "-", given=bad)
    assert result.exit_code == 1
    assert "codec: DERControl: interval: duration: -3 is outside 0..4294967295" in result.stdout
    assert "schema: line 1: Element 'duration'" in result.stdout
    lenient = b'<EndDeviceList xmlns="urn:ieee:std:2030.5:ns"/>'
    assert "reads it as EndDeviceList, by leniency" in run("validate", "-", given=lenient).stdout
    said = json.loads(run("validate", "-", "--json", given=b"<!DOCTYPE x><x/>").stdout)
    assert said["findings"] == ["codec: a document type declaration is refused"]
    extended = good.read_bytes().replace(b"</DERControl>", b'<v:x xmlns:v="urn:v"/></DERControl>')
    assert "urn:v is not part of the base schema" in run("validate", "-", "--strict", given=extended).stdout
