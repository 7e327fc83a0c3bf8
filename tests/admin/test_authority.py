"""Who may do what alone: protected connections, second persons, drafts, effects and their digests, reviews."""

from typing import Any

import msgspec
import pytest

from tests.admin.conftest import NOW, Operator

HOUR = 3600


def override(**more: Any) -> dict[str, Any]:
    asked = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 0}, "duration": 600, "reason": "overload"}
    return asked | more


def wide(**more: Any) -> dict[str, Any]:
    return override(scope="system", subject="", **more)


async def person(operator: Operator, name: str, role: str = "operator") -> str:
    """The token of another operator."""
    await operator.change("POST", "/operators", {"name": name, "role": role, "password": None})
    made = await operator.change("POST", "/tokens", {"operator": name, "label": "x", "role": role})
    return str(made["token"])


def strict(operator: Operator, **terms: Any) -> None:
    """A second person is asked for, as in production."""
    settings = operator.house.settings
    approvals = msgspec.structs.replace(settings.utility.approvals, second_person="always", **terms)
    utility = msgspec.structs.replace(settings.utility, approvals=approvals)
    operator.house.settings = msgspec.structs.replace(settings, utility=utility)


async def in_force(operator: Operator, device: str = "D1D1") -> dict[str, tuple[Any, str]]:
    shown = (await operator.get(f"/devices/{device}"))["in_force"]
    return {one["mode"]: (one["value"], one["source"]) for one in shown}


@pytest.fixture
async def protected(street: Operator) -> Operator:
    """NMI1 is on life support, NMI2 is not."""
    await street.change("PUT", "/connections/NMI1", {"protected": "life_support"})
    return street


SUPPLY: list[tuple[str, dict[str, Any], bool]] = [
    ("a limit of import", {"limits": {"import_w": 1000}}, True),
    ("a limit of load", {"limits": {"load_w": 1000}}, True),
    ("a disconnect", {"limits": {}, "modes": {"opModConnect": False}}, True),
    ("a limit of export", {"limits": {"export_w": 1000}}, False),
    ("a connect", {"limits": {"export_w": 1000}, "modes": {"opModConnect": True}}, False),
]


async def test_what_bounds_a_supply_leaves_protected_connections_out_of_every_wide_scope(protected: Operator) -> None:
    await protected.change("POST", "/connections", {"connection_id": "NMI3"})
    await protected.change("POST", "/devices", {"client": "Sunny", "lfdi": "D3" * 20, "connection_id": "NMI3"})
    await protected.change("POST", "/groups", {"name": "all", "primacy": 9})
    await protected.change("POST", "/groups/all/devices", {"devices": ["D1D1", "D3D3"]})
    await protected.change("POST", "/places", {"name": "FD7", "kind": "feeder"})
    await protected.change("POST", "/places", {"name": "T7", "kind": "transformer", "parent": "FD7"})
    await protected.change("POST", "/places/T7/connections", {"connections": ["NMI1", "NMI3"]})
    scopes = {"system": "", "aggregator": "Sunny", "group": "all", "transformer": "T7", "feeder": "FD7"}
    for scope, subject in scopes.items():
        for why, asked, is_out in SUPPLY:
            body = override(scope=scope, subject=subject) | asked
            sent = await protected.change("POST", "/overrides", body, dry_run="true")
            left_out = [{"connection_id": "NMI1", "protected": "life_support"}] if is_out else []
            assert sent["left_out"] == left_out, (scope, why)
            told = {one["place"] for one in sent["places"]}
            assert ("connection NMI1" in told, "connection NMI3" in told) == (not is_out, True)
            assert not any(one["lfdi"].startswith("D1") for one in sent["untold"])


@pytest.mark.parametrize(
    ("scope", "subject", "also"),
    [("connection", "NMI1", []), ("device", "D1D1", []), ("system", "", ["NMI1"])],
)
async def test_a_protected_connection_that_is_named_waits_for_a_second_person_also_in_test_mode(
    protected: Operator, scope: str, subject: str, also: list[str]
) -> None:
    asked = override(scope=scope, subject=subject, limits={"import_w": 0}, also=also)
    tried = await protected.change("POST", "/overrides", asked, dry_run="true")
    assert (tried["named"], tried["needs_second"]) == (["NMI1"], "NMI1 is protected, and named")
    status, waits = await protected.ask("POST", "/overrides", asked)
    assert (status, waits["state"], waits["why"]) == (202, "waiting", "NMI1 is protected, and named")
    assert await in_force(protected) == {}
    status, refused = await protected.ask("POST", f"/approvals/{waits['approval']}/approve", {})
    assert (status, refused["code"]) == (403, "same_person")
    done = await protected.change(
        "POST", f"/approvals/{waits['approval']}/approve", {}, token=await person(protected, "Ada")
    )
    assert (done["asker"], done["decider"], done["answer"]["second"]) == ("local", "Ada", "Ada")
    assert await in_force(protected) == {"opModImpLimW": (0, "override")}


async def test_nobody_is_named_beside_who_would_not_be_left_out(protected: Operator) -> None:
    for also in (["NMI2"], ["NMI1", "NMI9"]):
        status, refused = await protected.ask("POST", "/overrides", wide(limits={"import_w": 0}, also=also))
        assert (status, refused["code"]) == (400, "not_protected")
    status, refused = await protected.ask("POST", "/overrides", wide(also=["NMI1"]))
    assert (status, refused["code"]) == (400, "not_protected")


async def test_controls_do_not_bound_a_protected_supply_either(protected: Operator) -> None:
    controls = {"controls": [{"duration": 60, "limits": {"import_w": 1}}]}
    for path in ("/connections/NMI1/controls", "/devices/D1D1/controls"):
        status, refused = await protected.ask("POST", path, controls)
        assert (status, refused["code"]) == (409, "connection_protected")
    many = await protected.change("POST", "/controls", controls | {"scope": "system"})
    assert ([one["connection_id"] for one in many["left_out"]], many["places"]) == (["NMI1"], 1)
    await protected.change("POST", "/groups", {"name": "all", "primacy": 9})
    await protected.change("POST", "/groups/all/devices", {"devices": ["D1D1", "D2D2"]})
    status, refused = await protected.ask("POST", "/groups/all/controls", controls)
    assert (status, refused["code"]) == (409, "protected_in_group")
    assert await in_force(protected) == {}


async def test_an_override_of_six_hours_waits_and_only_another_person_lets_it_go(street: Operator) -> None:
    strict(street)
    ada, viewer = await person(street, "Ada"), await person(street, "Vera", "viewer")
    await street.change("POST", "/overrides", override(subject="NMI2", duration=4 * HOUR))
    asked = override(duration=6 * HOUR)
    status, waits = await street.ask("POST", "/overrides", asked)
    assert (status, waits["expires"]) == (202, NOW + 1800)
    assert waits["why"] == "it lasts 6 h, and 4 h are the most for one person"
    (waiting,) = (await street.get("/approvals"))["items"]
    assert (waiting["asker"], waiting["verb"], waiting["state"]) == ("local", "send_override", "waiting")
    path = f"/approvals/{waiting['id']}"
    shown = await street.get(path)
    assert (shown["asked"], shown["sheet"]["connections"]) == (asked, 1)
    assert (await street.ask("POST", f"{path}/approve", {}, token=viewer))[1]["code"] == "role_too_low"
    assert (await street.ask("POST", f"{path}/approve", {}))[1]["code"] == "same_person"
    fresh = await street.change("POST", f"{path}/approve", {}, token=ada, dry_run="true")
    assert fresh["answer"]["end"] == NOW + 6 * HOUR
    assert await in_force(street) == {}
    await street.change("POST", f"{path}/approve", {"digest": fresh["digest"]}, token=ada)
    assert await in_force(street) == {"opModExpLimW": (0, "override")}
    (newest, other) = (await street.get("/overrides"))["items"]
    assert (newest["operator"], newest["second"], other["second"]) == ("local", "Ada", "")
    entries = (await street.get("/audit"))["items"]
    agreed = next(one for one in entries if one["verb"] == "approve_change" and one["outcome"] == "done")
    assert (agreed["operator"], agreed["detail"]["answered"]["asker"]) == ("Ada", "local")
    assert any((one["verb"], one["outcome"]) == ("send_override", "waiting") for one in entries)
    assert (await street.ask("POST", f"{path}/approve", {}, token=ada))[1]["code"] == "approval_decided"


async def test_a_request_that_nobody_agrees_to_expires_is_refused_or_withdrawn(street: Operator) -> None:
    strict(street)
    ada = await person(street, "Ada")
    numbers = [(await street.ask("POST", "/overrides", override(duration=6 * HOUR)))[1]["approval"] for _ in range(3)]
    done = await street.change("POST", f"/approvals/{numbers[0]}/refuse", {"note": "no"}, token=ada)
    assert (done["state"], done["decider"], done["note"]) == ("refused", "Ada", "no")
    assert (await street.change("POST", f"/approvals/{numbers[1]}/refuse", {}))["state"] == "withdrawn"
    street.advance(NOW + 1800)
    status, refused = await street.ask("POST", f"/approvals/{numbers[2]}/approve", {}, token=ada)
    assert (status, refused["code"], "expired" in refused["message"]) == (409, "approval_decided", True)
    assert (await street.get("/approvals"))["total"] == 0
    states = [one["state"] for one in (await street.get("/approvals", every="true"))["items"]]
    assert states == ["expired", "withdrawn", "refused"]
    assert await in_force(street) == {}


async def test_a_wide_one_of_more_than_a_megawatt_waits_unless_it_is_an_emergency_which_is_reviewed(
    street: Operator,
) -> None:
    strict(street, largest_alone_w=9000)
    ada = await person(street, "Ada")
    await street.change("PUT", "/connections/NMI1", {"firm_export_w": 5000})
    await street.change("POST", "/overrides", wide(reason="voltage", limits={"export_w": 4000}))
    await street.change("PUT", "/connections/NMI2", {"firm_export_w": 5000})
    tried = await street.change("POST", "/overrides", wide(reason="voltage"), dry_run="true")
    (effect,) = tried["effects"]
    assert (effect["direction"], effect["reach_now_w"], effect["reach_then_w"]) == ("export", 10_000, 0)
    assert tried["needs_second"] == "it holds back 10 kW, and 9 kW are the most for one person"
    sent = await street.change("POST", "/overrides", wide(reason="emergency"))
    assert (sent["needs_second"], bool(sent["review"]), sent["review_by"] > NOW) == ("", True, True)
    (one,) = (await street.get("/overrides", unreviewed="true"))["items"]
    path = f"/overrides/{one['id']}/review"
    assert (await street.ask("POST", path, {}))[1]["code"] == "same_person"
    done = await street.change("POST", path, {"note": "it was right"}, token=ada)
    assert (done["reviewer"], done["reviewed"]) == ("Ada", NOW)
    assert (await street.get("/overrides", unreviewed="true"))["total"] == 0
    assert (await street.ask("POST", path, {}, token=ada))[1]["code"] == "nothing_to_review"


async def test_what_is_sent_is_what_was_looked_at(street: Operator) -> None:
    seen = (await street.change("POST", "/overrides", wide(), dry_run="true"))["digest"]
    assert (await street.change("POST", "/overrides", wide(), dry_run="true"))["digest"] == seen
    # An engine's round changes nothing of it, a person's control does.
    group = "/groups/schedule%20of%20connection%20NMI1/controls"
    await street.change("POST", group, {"controls": [{"duration": 900, "limits": {"export_w": 100}}]})
    status, refused = await street.ask("POST", "/overrides", wide(digest=seen))
    assert (status, refused["code"]) == (409, "effect_changed")
    sent = await street.change("POST", "/overrides", wide(digest=seen, reason="emergency"), dry_run="true")
    assert "not the one that was looked at" in sent["warning"]
    fresh = (await street.change("POST", "/overrides", wide(), dry_run="true"))["digest"]
    assert fresh != seen
    await street.change("POST", "/connections", {"connection_id": "NMI3"})
    await street.change("POST", "/devices", {"client": "Sunny", "lfdi": "D3" * 20, "connection_id": "NMI3"})
    assert (await street.ask("POST", "/overrides", wide(digest=fresh)))[0] == 409
    fresh = (await street.change("POST", "/overrides", wide(), dry_run="true"))["digest"]
    await street.change("POST", "/overrides", wide(digest=fresh))


async def test_a_second_person_agrees_to_what_was_shown_and_to_nothing_else(street: Operator) -> None:
    strict(street)
    ada = await person(street, "Ada")
    _, waits = await street.ask("POST", "/overrides", wide(duration=6 * HOUR, reason="voltage"))
    path = f"/approvals/{waits['approval']}/approve"
    await street.change("POST", "/connections", {"connection_id": "NMI3"})
    await street.change("POST", "/devices", {"client": "Sunny", "lfdi": "D3" * 20, "connection_id": "NMI3"})
    assert (await street.ask("POST", path, {}, token=ada))[1]["code"] == "effect_changed"
    fresh = (await street.change("POST", path, {}, token=ada, dry_run="true"))["digest"]
    done = await street.change("POST", path, {"digest": fresh}, token=ada)
    assert done["answer"]["connections"] == 3


async def test_a_draft_is_sent_by_its_author_or_by_somebody_who_is_the_second_person_then(street: Operator) -> None:
    strict(street)
    ada = await person(street, "Ada")
    watts = 100
    for seconds, needs in ((600, False), (6 * HOUR, True)):
        for token, second in ((None, ""), (ada, "Ada")):
            watts -= 10
            asked = override(duration=seconds, limits={"export_w": watts})
            status, kept = await street.ask("POST", "/overrides", asked, params={"draft": "true"})
            assert (status, kept["state"]) == (202, "draft")
            more = {} if token is None else {"token": token}
            status, done = await street.ask("POST", f"/approvals/{kept['approval']}/send", {}, **more)
            if needs and not second:
                assert (status, done["state"], done["approval"]) == (202, "waiting", kept["approval"])
                assert (await street.get(f"/approvals/{kept['approval']}"))["state"] == "waiting"
            else:
                assert (status, done["answer"]["second"]) == (200, second if needs else "")
    status, refused = await street.ask("POST", "/clients", {"name": "x", "lfdi": "E" * 40}, params={"draft": "true"})
    assert (status, refused["code"]) == (400, "wrong_body")


async def limited(street: Operator, export_w: int = 1500) -> dict[str, Any]:
    """NMI1 has a default; an override of it that gives more."""
    await street.change("PUT", "/groups/connection%20NMI1/default", {"limits": {"export_w": export_w}})
    return override(limits={"export_w": 3000}, release=True)


async def test_more_than_what_holds_is_given_by_an_engineer_and_a_second_one(street: Operator) -> None:
    asked = await limited(street)
    status, refused = await street.ask("POST", "/overrides", asked | {"release": False})
    assert (status, refused["code"]) == (409, "override_loosens")
    operator = await person(street, "Ada")
    assert (await street.ask("POST", "/overrides", asked, token=operator))[0] == 403
    strict(street)
    for reason in ("test", "emergency"):
        tried = await street.change("POST", "/overrides", asked | {"reason": reason}, dry_run="true")
        assert tried["needs_second"] == "connection NMI1 may do more than what holds there", reason
    assert "no network model was asked" in tried["warning"]
    status, waits = await street.ask("POST", "/overrides", asked)
    assert status == 202
    assert await in_force(street) == {"opModExpLimW": (1500, "default")}
    approval = f"/approvals/{waits['approval']}/approve"
    assert (await street.ask("POST", approval, {}, token=operator))[0] == 403
    engineer = await person(street, "Grace", "engineer")
    done = await street.change("POST", approval, {}, token=engineer)
    assert (done["answer"]["second"], done["answer"]["kind"]) == ("Grace", "loosening")
    assert await in_force(street) == {"opModExpLimW": (3000, "override")}


async def test_what_gives_more_gives_no_more_than_another_override(street: Operator) -> None:
    asked = await limited(street)
    await street.change("POST", "/overrides", asked)
    tighter = await street.change("POST", "/overrides", override(limits={"export_w": 1000}))
    assert await in_force(street) == {"opModExpLimW": (1000, "override")}
    status, refused = await street.ask("POST", "/overrides", asked)
    assert (status, refused["code"]) == (409, "override_loosens"), "it would give nobody more"
    await street.change("POST", f"/overrides/{tighter['id']}/release", {})
    assert await in_force(street) == {"opModExpLimW": (3000, "override")}
    await street.change("POST", "/overrides/1/release", {})
    assert await in_force(street) == {"opModExpLimW": (1500, "default")}


async def test_another_persons_override_is_released_by_two(street: Operator) -> None:
    strict(street)
    ada, bob = await person(street, "Ada"), await person(street, "Bob")
    sent = await street.change("POST", "/overrides", override(), token=ada)
    status, waits = await street.ask("POST", f"/overrides/{sent['id']}/release", {}, token=bob)
    assert (status, waits["why"]) == (202, "another person sent it")
    await street.change("POST", f"/approvals/{waits['approval']}/approve", {}, token=ada)
    assert (await street.get("/overrides"))["total"] == 0
    sent = await street.change("POST", "/overrides", override(), token=ada)
    await street.change("POST", f"/overrides/{sent['id']}/release", {}, token=ada)


async def test_an_override_is_extended_back_to_back_and_its_whole_length_counts(street: Operator) -> None:
    strict(street)
    sent = await street.change("POST", "/overrides", override(duration=3 * HOUR))
    more = await street.change("POST", f"/overrides/{sent['id']}/extend", {"duration": HOUR})
    assert (more["start"], more["end"], more["limits"]) == (sent["end"], sent["end"] + HOUR, sent["limits"])
    status, waits = await street.ask("POST", f"/overrides/{sent['id']}/extend", {"duration": 2 * HOUR})
    assert (status, waits["why"]) == (202, "it lasts 5 h, and 4 h are the most for one person")
    street.advance(NOW + 3 * HOUR + 60)
    assert await in_force(street) == {"opModExpLimW": (0, "override")}


@pytest.mark.parametrize("word", ["transformer", "place", "feeder"])
async def test_a_place_is_called_by_its_kind_and_is_then_one_of_that_kind(street: Operator, word: str) -> None:
    await street.change("POST", "/places", {"name": "T7", "kind": "transformer"})
    await street.change("POST", "/places/T7/connections", {"connections": ["NMI1"]})
    status, answer = await street.ask("POST", "/overrides", override(scope=word, subject="t7"))
    if word == "feeder":
        assert (status, answer["code"]) == (400, "bad_override")
        assert answer["message"].endswith("scope: T7 is a transformer, and not a feeder")
    else:
        assert (answer["scope"], answer["subject"], answer["connections"]) == ("place", "T7", 1)


async def test_the_same_request_under_its_key_is_one_request(street: Operator) -> None:
    strict(street)
    key = {"Idempotency-Key": "once"}
    found = [await street.ask("POST", "/overrides", override(duration=6 * HOUR), headers=key) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0][0] == 202
    assert (await street.get("/approvals"))["total"] == 1


async def test_who_is_protected_is_imported_exported_and_shown(street: Operator) -> None:
    rows = [["NMI1", "critical"], ["NMI5", "life_support"], ["NMI6", ""]]
    sheet = {"connections": {"columns": ["connection_id", "protected"], "rows": rows}}
    await street.change("POST", "/import", sheet)
    assert (await street.get("/connections/NMI1"))["protected"] == "critical"
    exported = await street.get("/export/connections")
    at = exported["columns"].index("protected")
    assert [row[at] for row in exported["rows"]] == ["critical", "none", "life_support", "none"]
    again = {"connections": {"columns": exported["columns"], "rows": exported["rows"]}}
    assert (await street.change("POST", "/import", again))["changed"] == 0
    bad = {"connections": {"columns": ["connection_id", "protected"], "rows": [["NMI1", "maybe"]]}}
    assert (await street.change("POST", "/import", bad))["errors"][0]["field"] == "protected"
    status, refused = await street.ask("PUT", "/connections/NMI1", {"protected": "no"})
    assert (status, refused["code"]) == (400, "wrong_body")
