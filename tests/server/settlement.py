"""A site with a proven meter in an aggregation whose market settles quarter hours."""

from pathlib import Path
from typing import Any

from tests.admin.market import CONTACT, grant_local
from tests.raw import document
from tests.server.meters import W, mirror, reading_type
from tests.server.operator import Desk
from tests.server.world import NOW

HOUR, QUARTER, DAY = 3600, 900, 86_400
START = NOW + 2 * HOUR
PROFILE = """
extends = "custom"
name = "quarters"
time_zone = "UTC"
[metering]
interval_s = 900
[baseline]
load = "high_4_of_5"
adjust = { kind = "additive", hours = 3, skip = 1 }
"""


def profile_in(folder: Path) -> dict[str, str]:
    """The settings under which the profile is known, which is put in a folder."""
    (folder / "quarters.toml").write_text(PROFILE)
    return {"profiles": str(folder)}


async def site(desk: Desk) -> Any:
    """D1 at NMI1 with a proven meter, an effective member of VPP; the path to post readings to, and its client."""
    world, operator = desk
    raw = await world.as_("sunny")
    one = world.ids.devices["one"]
    settings = (
        "<setGradW>0</setGradW><setMaxW><multiplier>0</multiplier><value>5000</value></setMaxW>"
        f"<updatedTime>{NOW}</updatedTime>"
    )
    assert (await raw.put(f"/edev/{one}/der/1/derg", document("DERSettings", settings))).status == 204
    path = await mirror(raw, world.ids.lfdis["one"], types={"0C01": reading_type(W)})
    await operator.change("PUT", f"/mirrors/{path.rpartition('/')[2]}/reading-sign", {"reading_sign": "as-posted"})
    await register(operator)
    return raw, path


async def register(operator: Any) -> None:
    """North with D1, an effective member of VPP."""
    await grant_local(operator, "reviewer")
    agreement = {"ref": "A-17", "signed": 1_700_000_000}
    party = {"name": "North", "status": "active", "contacts": [CONTACT], "agreement": agreement}
    await operator.change("POST", "/market/parties", party)
    watts = dict.fromkeys(("max_gen_w", "max_load_w", "import_agreement_w", "export_agreement_w"), 1_200_000)
    names = {"edc_account": "A1", "connection": "NMI1", "meter_id": "M1", "device_type": "battery"}
    consent = {"scopes": ["registration", "telemetry"], "given_by": "the customer"}
    der = {"name": "D1", "party": "North", "facts": {**names, **watts}, "consent": consent, "confirmed": True}
    await operator.change("POST", "/market/ders", der)
    said = {"name": "VPP", "party": "North", "profile": "quarters", "iso_nodes": ["N1"], "services": ["energy"]}
    await operator.change("POST", "/market/aggregations", {**said, "inject_w": 1_000_000, "iso_resource_id": "R1"})
    await operator.change("POST", "/market/aggregations/VPP/members", {"ders": ["D1"]})
    review = await operator.change("POST", "/market/aggregations/VPP/submit")
    answered = ["telemetry: shown", "capability: shown"]
    body = {"ders": [{"der": "D1", "outcome": "ok", "evidence": answered}]}
    await operator.change("POST", f"/market/reviews/{review['id']}/decide", body)
