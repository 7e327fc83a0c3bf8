"""Causes of alarms made real at a running server, and gone again: faults, rejections, meters, background work."""

from pathlib import Path

import pytest

from sep2.operations.mirrors import set_reading_sign
from sep2.operations.plans import note_plan
from sep2.rules.alarm_kinds import KINDS
from sep2.rules.metering import ReadingSign
from sep2.server.app import _kept_up
from sep2.server.workers import Workers
from sep2.store import alarms
from tests.raw import document
from tests.server import test_reach as reach
from tests.server.meters import W, mirror, post, read, reading_type
from tests.server.test_refusals import response
from tests.server.world import NOW

desk = reach.desk
DAY_S = 86_400
TESTS = Path(__file__).parent.parent


async def standing(world, code):
    """Subject, priority and detail of the alarms of a code."""
    async with world.state.db.read() as db:
        return [(row.subject, row.priority, row.detail) for row in await alarms.standing_of(db, code)]


async def look(world, at):
    """What the server does every minute."""
    world.advance(at)
    await world.state.causes.look()


def event(code, number):
    said = f"<createdDateTime>{NOW}</createdDateTime><functionSet>11</functionSet><logEventCode>{code}</logEventCode>"
    said += f"<logEventID>{number}</logEventID><logEventPEN>0</logEventPEN><profileID>2</profileID>"
    return document("LogEvent", said)


async def test_a_fault_that_a_device_reports_is_an_alarm_until_it_reports_its_end(world):
    sunny, path = await world.as_("sunny"), f"/edev/{world.ids.devices['one']}"
    lfdi = world.ids.lfdis["one"]

    async def after(code, number):
        assert (await sunny.post(f"{path}/lel", event(code, number))).status == 201
        return await standing(world, "der_event")

    assert await after(0, 1) == [(lfdi, 3, "it reports over current")]
    assert await after(2, 2) == [(lfdi, 2, "it reports over current, over voltage")]
    assert await after(3, 3) == [(lfdi, 3, "it reports over current")]
    assert await after(1, 4) == []
    status = f"<alarmStatus>%s</alarmStatus><readingTime>{NOW}</readingTime>"
    for bits, said in (("00000104", "emergency, remote, under voltage"), ("00000000", None)):
        assert (await sunny.put(f"{path}/der/1/ders", document("DERStatus", status % bits))).status == 204
        found = [detail for _, _, detail in await standing(world, "der_event")]
        assert found == ([f"it reports {said}"] if said else [])


async def test_a_control_that_devices_reject_is_an_alarm_until_a_day_after_its_end(desk):
    world = desk.world
    _, sent = await desk.send("feeder", duration=600, limits={"export_w": 1000})
    (mrid,) = sent["created"]
    sunny, path = await world.as_("sunny"), f"/edev/{world.ids.devices['one']}/rsps/1/rsp"
    assert (await sunny.post(path, response(world.ids.lfdis["one"], mrid, 2))).status == 201
    assert await standing(world, "control_rejected") == []
    assert (await sunny.post(path, response(world.ids.lfdis["one"], mrid, 252))).status == 201
    ((subject, priority, _),) = await standing(world, "control_rejected")
    assert (subject, priority) == (mrid, 2)
    _, found = await desk.ask("GET", "/alarms")
    (shown,) = [one for one in found["items"] if one["code"] == "control_rejected"]
    assert (shown["name"], shown["count"]) == ("control of feeder", 1)
    await look(world, NOW + 600 + DAY_S)
    assert len(await standing(world, "control_rejected")) == 1
    await look(world, NOW + 601 + DAY_S)
    assert await standing(world, "control_rejected") == []


async def test_a_meter_whose_sign_nobody_has_proven_is_an_alarm_after_a_week(world):
    sunny = await world.as_("sunny")
    path = await mirror(sunny, world.ids.lfdis["one"], types={"0B01": reading_type(W)})
    await post(sunny, path, "0B01", read("0C01", NOW - 3600, [(300, -1200)] * 2))
    await look(world, NOW + 6 * DAY_S)
    assert await standing(world, "reading_unproven") == []
    await look(world, NOW + 7 * DAY_S)
    ((subject, priority, detail),) = await standing(world, "reading_unproven")
    assert (subject, priority) == (world.people.lfdi("sunny"), 3)
    assert detail.startswith("1 devices: it is not known")
    async with world.state.db.write() as db:
        await set_reading_sign(db, int(path.rpartition("/")[2]), ReadingSign.AS_POSTED)
    await look(world, NOW + 7 * DAY_S + 600)
    assert await standing(world, "reading_unproven") == []


async def test_work_of_an_extension_that_fails_again_and_again_is_an_alarm_until_it_has_gone_well_for_a_while(world):
    failures = iter([RuntimeError("no luck"), RuntimeError("no luck again")])

    async def judge_of_weather():
        for problem in failures:
            raise problem

    workers = world.state.workers
    await workers.tell(world.state.db)
    await _kept_up(judge_of_weather, workers)
    await workers.tell(world.state.db)
    ((subject, priority, detail),) = await standing(world, "engine_absent")
    assert (subject, priority) == ("tests", 1), "whose package it is says who has to mend it"
    assert detail.endswith("the last: RuntimeError: no luck again")
    world.advance(NOW + 700)
    await workers.tell(world.state.db)
    assert await standing(world, "engine_absent") == []


async def test_the_servers_own_work_and_an_engine_that_is_behind_are_told_apart(world):
    reached, seconds = {"sweep": NOW, "envelope": NOW}, iter(range(0, 10_000, 61))
    workers = Workers(world.clock, lambda: reached, lambda: next(seconds))
    world.advance(NOW + 600)
    for _ in range(2):
        await workers.tell(world.state.db)
    assert [subject for subject, _, _ in await standing(world, "worker_dead")] == ["sweep"]
    assert [subject for subject, _, _ in await standing(world, "engine_absent")] == ["envelope"]
    assert set(workers.faults) == {"sweep", "envelope"}
    reached |= dict.fromkeys(reached, NOW + 600)
    await workers.tell(world.state.db)
    assert len(await standing(world, "worker_dead")) == 1, "it has to go well for a while"
    world.advance(NOW + 720)
    reached |= dict.fromkeys(reached, NOW + 720)
    await workers.tell(world.state.db)
    assert await standing(world, "worker_dead") + await standing(world, "engine_absent") == []


async def test_an_engine_that_can_not_be_loaded_is_an_alarm_where_its_plan_is_published(world):
    workers = Workers(world.clock, dict)
    workers.missing("envelope.operation.worker:work", "No module named 'numpy'")
    await workers.tell(world.state.db)
    assert await standing(world, "engine_absent") == [], "nothing of it was ever asked for here"
    async with world.state.db.write() as db:
        await note_plan(db, "FD7", (NOW, NOW + DAY_S), NOW)
    await workers.tell(world.state.db)
    ((subject, _, detail),) = await standing(world, "engine_absent")
    assert (subject, detail) == ("envelope", "it can not be loaded: No module named 'numpy'")
    fresh = Workers(world.clock, dict)
    await fresh.tell(world.state.db)
    world.advance(NOW + 121)
    await fresh.tell(world.state.db)
    assert await standing(world, "engine_absent") == [], "the server was started anew, with what it needs"


PROOFS = {
    "mode_not_followed": "envelope/test_relied_modes.py",
    "alarm_flood": "admin/test_alarms.py",
    "alarm_undeliverable": "admin/test_alarm_mail.py",
    "backup_stale": "server/test_backups.py",
    "approval_waiting": "server/test_override_watch.py",
    "audit_broken": "admin/test_audit_chain.py",
    "certificate_expiring": "server/test_watch.py",
    "certificate_unused": "admin/test_certificates.py",
    "claim_refused": "functions/test_in_band.py",
    "client_clock": "server/test_silence.py",
    "client_silent": "server/test_silence.py",
    "clock_jump": "server/test_clock.py",
    "control_rejected": "server/test_alarm_causes.py",
    "control_too_short": "server/test_causes.py",
    "control_unanswered": "server/test_owed.py",
    "database": "server/test_outages.py",
    "database_restored": "server/test_put_back.py",
    "default_in_force": "functions/test_places.py",
    "default_looser_than_envelope": "envelope/test_premises.py",
    "delivery_dead": "server/test_receivers.py",
    "delivery_failing": "server/test_receivers.py",
    "der_event": "server/test_alarm_causes.py",
    "device_moved": "functions/test_in_band.py",
    "device_silent": "server/test_silence.py",
    "disk_low": "server/test_causes.py",
    "disconnect_overdue": "server/test_override_watch.py",
    "engine_absent": "server/test_alarm_causes.py",
    "envelope_failed": "envelope/test_publish.py",
    "envelope_infeasible_base": "envelope/test_premises.py",
    "envelope_invalid": "envelope/test_extract.py",
    "envelope_waits": "envelope/test_rolling.py",
    "forecast_drift": "envelope/test_rolling_health.py",
    "inputs_late": "envelope/test_rolling.py",
    "measurements_ending": "envelope/test_rolling_health.py",
    "measurements_refused": "envelope/test_rolling_health.py",
    "round_late": "envelope/test_rolling_health.py",
    "envelope_unverified": "envelope/test_refused_runs.py",
    "feeder_extract": "envelope/test_extract.py",
    "group_order": "admin/test_overrides.py",
    "infeasible_firm": "envelope/test_premises.py",
    "limit_breach": "server/test_broken_limits.py",
    "local_login": "admin/test_oidc.py",
    "mass_silence": "server/test_silence.py",
    "meters_disagree": "server/test_judging.py",
    "topology_abnormal": "envelope/test_premises.py",
    "mode_unsupported": "server/test_causes.py",
    "name_clash": "store/test_step_names.py",
    "no_client": "envelope/test_sharing.py",
    "no_safe_limits": "envelope/test_premises.py",
    "no_such_group": "functions/test_in_band.py",
    "dispatch_beyond_limit": "admin/test_market_dispatches.py",
    "dispatch_late": "admin/test_market_dispatches.py",
    "override_unanswered": "admin/test_market_overrides.py",
    "override_reason_due": "admin/test_market_overrides.py",
    "notifier_stalled": "server/test_told_once.py",
    "obedience_low": "server/test_broken_limits.py",
    "operator_control": "envelope/test_overrides.py",
    "operator_logins": "admin/test_access.py",
    "override_ending": "server/test_override_watch.py",
    "override_unreviewed": "server/test_override_watch.py",
    "plan_ending": "envelope/test_premises.py",
    "profile_mismatch": "server/test_causes.py",
    "reading_implausible": "server/test_owed.py",
    "review_ending": "admin/test_market_reviews.py",
    "review_overdue": "admin/test_market_reviews.py",
    "reading_unproven": "server/test_alarm_causes.py",
    "set_max_w": "server/test_ratings.py",
    "setpoint_not_kept": "envelope/test_plants.py",
    "setting_not_followed": "server/test_followed_modes.py",
    "tls_refused": "server/test_knocks.py",
    "too_many_requests": "server/test_shares.py",
    "unregistered_device": "envelope/test_premises.py",
    "unregistered_lfdi": "server/test_knocks.py",
    "verdict_late": "admin/test_market_plans.py",
    "band_broken": "server/test_plan_credit.py",
    "limits_ignored": "server/test_plan_credit.py",
    "overload_forecast": "server/test_network_watch.py",
    "voltage_breach": "server/test_network_watch.py",
    "voltage_forecast": "server/test_network_watch.py",
    "worker_dead": "server/test_alarm_causes.py",
}
"""The tests that raise and clear each kind of alarm by making its cause real."""


def test_every_kind_has_a_test_that_makes_its_cause_real():
    assert PROOFS.keys() == KINDS.keys()


@pytest.mark.parametrize(("code", "where"), PROOFS.items())
def test_that_test_names_it(code, where):
    text = (TESTS / where).read_text()
    assert code in text or code.upper() in text
