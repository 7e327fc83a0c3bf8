"""What an ADMS is told of the network's places: XML of IEC 61968-5 that its profiles take."""

import pytest
from lxml import etree

from tests.admin.cim_schema import MESSAGES, schema
from tests.admin.conftest import NOW, TOKEN, Operator
from tests.admin.test_territory import network  # noqa: F401 — places with connections

OVERRIDE = {"scope": "place", "subject": "T7", "limits": {"export_w": 1500}, "duration": 3600, "reason": "overload"}


async def told(operator: Operator, path: str, noun: str) -> etree._Element:
    """A message as XML alone, which its schema takes, and which is the one in the JSON answer."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/xml"}
    async with operator.http.get(path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "application/xml")
        text = await answer.text()
    found = etree.fromstring(text.encode())
    schema(noun).assertValid(found)
    assert text.endswith((await operator.get(path))["xml"])
    return found


def texts(found: etree._Element, name: str) -> list[str | None]:
    return [one.text for one in found.iter(f"{{*}}{name}")]


async def test_places_are_groups_with_the_devices_below_them(network: Operator) -> None:  # noqa: F811
    found = await told(network, "/places/SS1/cim/groups", "DERGroups")
    assert texts(found, "description") == ["substation", "feeder", "feeder", "transformer"]
    members = {one.findtext("{*}Names/{*}name"): len(one.findall("{*}EndDevices")) for one in found}
    assert members == {"SS1": 2, "FD7": 2, "FD8": 0, "T7": 2}


async def test_power_that_nobody_measured_is_unknown(network: Operator) -> None:  # noqa: F811
    found = await told(network, "/places/T7/cim/statuses", "DERGroupStatuses")
    assert (texts(found, "nominalYValue"), texts(found, "value")) == ([], ["unknown"])
    assert texts(found, "remark") == ["measured at 0 of 2 connections"]


async def test_limits_ahead_are_sums_over_the_place_by_direction(network: Operator) -> None:  # noqa: F811
    for name in ("NMI1", "NMI2"):
        await network.change("PUT", f"/connections/{name}", {"firm_export_w": 5000, "firm_import_w": 8000})
    await network.change("POST", "/overrides", OVERRIDE)
    found = await told(network, "/places/T7/cim/dispatches?hours=2", "DERGroupDispatches")
    by_flow = {one.find(".//{*}flowDirection").text: texts(one, "nominalYValue") for one in found}  # type: ignore[union-attr]
    held = 1 + (3600 + NOW % 900) // 900 - (NOW % 900 == 0)
    assert by_flow["reverse"][:held] == ["3000"] * held
    assert by_flow["reverse"][-1] == "10000"
    assert set(by_flow["forward"]) == {"16000"}


async def test_a_device_of_which_nothing_is_known_is_not_counted_as_zero(network: Operator) -> None:  # noqa: F811
    await network.change("PUT", "/connections/NMI1", {"firm_import_w": 8000})
    found = await told(network, "/places/T7/cim/dispatches?hours=1", "DERGroupDispatches")
    names = {one.findtext("{*}Names/{*}name"): set(texts(one, "nominalYValue")) for one in found}
    assert names["T7: import at most, 1 of 2 devices"] == {"8000"}
    status, said = await network.ask("GET", "/places/FD8/cim/dispatches")
    assert (status, said["code"]) == (409, "nothing_known")


async def test_a_place_that_nobody_knows_is_refused(network: Operator) -> None:  # noqa: F811
    status, said = await network.ask("GET", "/places/nowhere/cim/groups")
    assert (status, said["code"]) == (404, "unknown_place")


@pytest.mark.parametrize("noun", MESSAGES)
def test_a_schema_refuses_what_is_none(noun: str) -> None:
    wrong = etree.fromstring(f'<m:{noun} xmlns:m="http://iec.ch/TC57/2017/{noun}#"><m:Other/></m:{noun}>')
    assert not schema(noun).validate(wrong)
