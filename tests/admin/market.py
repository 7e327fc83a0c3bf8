"""A register of the market for tests: two aggregators, connections, DERs and an aggregation, by the operator API."""

from typing import Any

import pytest

from tests.admin.conftest import TOKEN, Operator

BY_RULES = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Of tests about what is refused and decided, whose statements others run on both databases."""

CONTACT = {"role": "desk", "name": "Ada", "phone": "+15550100", "is_24x7": True}


def der(name: str, number: int, **facts: Any) -> dict[str, Any]:
    """A battery of 60 kW behind its own connection, meter and account."""
    said = {
        "edc_account": f"account {number}",
        "connection": f"C{number}",
        "meter_id": f"meter {number}",
        "device_type": "battery",
        "make": "Make",
        "serial": f"serial {number}",
        "max_gen_w": 60_000,
        "max_load_w": 60_000,
        "import_agreement_w": 60_000,
        "export_agreement_w": 60_000,
        **facts,
    }
    consent = {"scopes": ["registration", "telemetry"], "given_by": "the customer"}
    return {"name": name, "party": "North", "facts": said, "consent": consent}


async def make_parties(operator: Operator, *, connections: int = 4) -> None:
    """Two active aggregators with agreements, and connections C1, C2 and so on."""
    agreement = {"ref": "A-17", "signed": 1_700_000_000}
    for name in ("North", "South"):
        said = {"name": name, "status": "active", "contacts": [CONTACT], "agreement": agreement}
        await operator.change("POST", "/market/parties", said)
    rows = [[f"C{number}"] for number in range(1, connections + 1)]
    await operator.change("POST", "/import", {"connections": {"columns": ["connection_id"], "rows": rows}})


async def make_aggregation(operator: Operator, name: str = "VPP", *, ders: int = 2, **said: Any) -> None:
    """An aggregation of North with DERs D1, D2 and so on, all of them members."""
    for number in range(1, ders + 1):
        await operator.change("POST", "/market/ders", der(f"D{number}", number))
    await add_aggregation(operator, name, **said)
    names = [f"D{number}" for number in range(1, ders + 1)]
    await operator.change("POST", f"/market/aggregations/{name}/members", {"ders": names})


async def add_aggregation(operator: Operator, name: str, **said: Any) -> Any:
    """An aggregation of North without members."""
    body = {
        "name": name,
        "party": "North",
        "profile": "pjm",
        "iso_nodes": ["N17"],
        "services": ["energy"],
        "inject_w": 100_000,
        **said,
    }
    return await operator.change("POST", "/market/aggregations", body)


async def grant(operator: Operator, name: str, *grants: str, role: str = "engineer") -> str:
    """The token of a new operator with these grants."""
    await operator.change("POST", "/operators", {"name": name, "role": role})
    await operator.change("PUT", f"/operators/{name}", {"grants": list(grants)})
    made = await operator.change("POST", "/tokens", {"operator": name, "label": "test"})
    return str(made["token"])


async def grant_local(operator: Operator, *grants: str) -> None:
    """Give grants to the operator `local`, whose token tests use."""
    await operator.change("PUT", "/operators/local", {"grants": list(grants)}, token=TOKEN)


async def make_approved(operator: Operator, name: str = "VPP", *, ders: int = 2, **said: Any) -> None:
    """Two parties, and an aggregation of North whose members are effective and which is active."""
    await make_parties(operator)
    await grant_local(operator, "reviewer")
    await make_aggregation(operator, name, ders=ders, **said)
    review = await operator.change("POST", f"/market/aggregations/{name}/submit")
    evidence = ["telemetry: commissioning test"]
    decided = [{"der": f"D{n}", "outcome": "ok", "evidence": evidence} for n in range(1, ders + 1)]
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", {"ders": decided})
    await operator.change("PUT", f"/market/aggregations/{name}", {"iso_resource_id": "R1"})


async def with_devices(operator: Operator, *, firm_w: int | None = None) -> None:
    """The aggregation VPP of D1 and D2 (60 kW each) with a device each, and a system operator PJM."""
    await make_approved(operator)
    await operator.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
    for n in (1, 2):
        body = {"client": "Sunny", "lfdi": f"{n:02d}" * 20, "connection_id": f"C{n}"}
        await operator.change("POST", "/devices", body)
    if firm_w is not None:
        await operator.change("PUT", "/connections/C1", {"firm_export_w": firm_w})
    await operator.change("POST", "/market/parties", {"name": "ISO", "kind": "iso", "status": "active", "contacts": [
        {"role": "desk", "name": "Ivo", "phone": "+1", "is_24x7": True}], "market_ids": {"pjm": "P"}})  # fmt: skip
