"""Every route of the operator API, and nothing else."""

import logging
from functools import cache

from sep2.admin import (
    alarms,
    approvals,
    backstops,
    bulk,
    certificates,
    changes,
    commissioning,
    compliance,
    controls,
    curves,
    customers,
    desk,
    erasing,
    groups,
    history,
    looking,
    network,
    operators,
    overrides,
    oversight,
    probes,
    receivers,
    register,
    shifts,
    telemetry,
    territory,
    why,
)
from sep2.admin.market.routes import TABLE as MARKET
from sep2.extension import ExtensionError, load, resolve
from sep2.rest.route import Route
from sep2.rules.roles import ADMIN, ENGINEER, OPERATOR, VIEWER

log = logging.getLogger(__name__)

TABLE = (
    Route("GET", "/status", oversight.show_status, VIEWER),
    Route("GET", "/probes", probes.list_probes, VIEWER),
    Route("GET", "/in-force", desk.show_in_force, VIEWER),
    Route("GET", "/clients", register.list_clients, VIEWER),
    Route("POST", "/clients", register.register_client, ENGINEER),
    Route("GET", "/clients/{client}", certificates.show_client, VIEWER),
    Route("PUT", "/clients/{client}", changes.change_client, ENGINEER, certificates.show_client),
    Route("DELETE", "/clients/{client}", changes.remove_client, ENGINEER, certificates.show_client),
    Route("POST", "/clients/{client}/rename", changes.rename_client, ENGINEER, certificates.show_client),
    Route(
        "POST",
        "/clients/{client}/replace-certificate",
        certificates.replace_certificate,
        ENGINEER,
        certificates.show_client,
    ),
    Route(
        "POST",
        "/clients/{client}/finish-replacement",
        certificates.finish_replacement,
        ENGINEER,
        certificates.show_client,
    ),
    Route(
        "POST",
        "/clients/{client}/cancel-replacement",
        certificates.cancel_replacement,
        ENGINEER,
        certificates.show_client,
    ),
    Route("POST", "/clients/{client}/move-devices", changes.move_devices, ENGINEER, certificates.show_client),
    Route("GET", "/connections", register.list_connections, VIEWER),
    Route("POST", "/connections", register.add_connection, ENGINEER),
    Route("GET", "/connections/{connection}", register.show_connection, VIEWER),
    Route("GET", "/connections/{connection}/limits", desk.show_limits, VIEWER),
    Route("PUT", "/connections/{connection}", changes.change_connection, ENGINEER, register.show_connection),
    Route("DELETE", "/connections/{connection}", changes.remove_connection, ENGINEER, register.show_connection),
    Route("GET", "/connections/{connection}/customers", customers.list_customers, VIEWER),
    Route("POST", "/connections/{connection}/move-in", customers.move_customer_in, ENGINEER, customers.list_customers),
    Route(
        "POST", "/connections/{connection}/move-out", customers.move_customer_out, ENGINEER, customers.list_customers
    ),
    # What it was is not noted: that is what is erased.
    Route("POST", "/connections/{connection}/erase", erasing.erase_connection, ENGINEER, seconded=True),
    Route("POST", "/connections/{connection}/rename", changes.rename_connection, ENGINEER, register.show_connection),
    Route("GET", "/devices", register.list_devices, VIEWER),
    Route("POST", "/devices", register.add_device, ENGINEER),
    Route("GET", "/devices/{device}", register.show_device, VIEWER),
    Route("PUT", "/devices/{device}", changes.change_device, ENGINEER, register.show_device),
    Route("DELETE", "/devices/{device}", register.remove_device, ENGINEER, register.show_device),
    Route("POST", "/devices/{device}/rename", changes.rename_device, ENGINEER, register.show_device),
    Route("PUT", "/devices/{device}/client", changes.move_device_to_client, ENGINEER, register.show_device),
    Route("GET", "/devices/{device}/default", register.show_served_default, VIEWER),
    Route("PUT", "/devices/{device}/connection", register.move_device, ENGINEER, register.show_device),
    Route("POST", "/devices/{device}/stay", register.keep_device, ENGINEER, register.show_device),
    Route("POST", "/devices/{device}/agree-rating", register.agree_rating, ENGINEER, register.show_device),
    Route("GET", "/groups", groups.list_groups, VIEWER),
    Route("POST", "/groups", groups.create_group, ENGINEER),
    Route("GET", "/groups/{group}", groups.show_group, VIEWER),
    Route("PUT", "/groups/{group}", changes.change_group, ENGINEER, groups.show_group),
    Route("DELETE", "/groups/{group}", changes.remove_group, ENGINEER, groups.show_group),
    Route("POST", "/groups/{group}/rename", changes.rename_group, ENGINEER, groups.show_group),
    Route("POST", "/groups/{group}/devices", groups.assign, ENGINEER, groups.show_group),
    Route("DELETE", "/groups/{group}/devices/{device}", groups.unassign, ENGINEER, groups.show_group),
    Route("GET", "/groups/{group}/default", groups.show_default, VIEWER),
    Route("PUT", "/groups/{group}/default", groups.set_default, ENGINEER, groups.show_default),
    Route("POST", "/groups/{group}/curves", curves.create_curve, ENGINEER),
    Route("POST", "/import", bulk.import_sheets, ENGINEER, largest_body=bulk.LARGEST_IMPORT),
    Route("GET", "/export/clients", bulk.export_clients, VIEWER),
    Route("GET", "/export/places", bulk.export_places, VIEWER),
    Route("GET", "/export/connections", bulk.export_connections, VIEWER),
    Route("GET", "/export/devices", bulk.export_devices, VIEWER),
    Route("GET", "/history", history.show_history, VIEWER),
    Route("GET", "/search", looking.search, VIEWER),
    Route("GET", "/calendar", looking.show_calendar, VIEWER),
    Route("GET", "/reports/compliance", looking.report_compliance, VIEWER),
    Route("GET", "/network", network.show_network, VIEWER),
    Route("GET", "/feeders", network.list_feeders, VIEWER),
    Route("GET", "/feeders/{feeder}", network.show_feeder, VIEWER),
    Route("GET", "/places", territory.list_places, VIEWER),
    Route("POST", "/places", territory.add_place, ENGINEER),
    Route("GET", "/places/{place}", territory.show_place, VIEWER),
    Route("DELETE", "/places/{place}", territory.remove_place, ENGINEER, territory.show_place),
    Route("POST", "/places/{place}/rename", territory.rename_place, ENGINEER, territory.show_place),
    Route("PUT", "/places/{place}/parent", territory.move_place, ENGINEER, territory.show_place),
    Route("POST", "/places/{place}/connections", territory.put_connections, ENGINEER, territory.show_place),
    Route(
        "DELETE", "/connections/{connection}/place", territory.take_connection_away, ENGINEER, register.show_connection
    ),
    Route("GET", "/connections/{connection}/why", why.explain_connection, VIEWER),
    Route("GET", "/curves", curves.list_curves, VIEWER),
    Route("GET", "/curves/{curve}", curves.show_curve, VIEWER),
    Route("DELETE", "/curves/{curve}", curves.remove_curve, ENGINEER, curves.show_curve),
    Route("POST", "/curves/{curve}/rename", changes.rename_curve, ENGINEER, curves.show_curve),
    Route("POST", "/groups/{group}/controls", controls.issue_controls, OPERATOR),
    Route("POST", "/connections/{connection}/controls", controls.send_to_connection, OPERATOR),
    Route("POST", "/devices/{device}/controls", controls.send_to_device, OPERATOR),
    Route("GET", "/controls", controls.list_controls, VIEWER),
    Route("POST", "/controls", controls.send_to_many, OPERATOR),
    Route("GET", "/controls/{control}", controls.show_control, VIEWER),
    Route("POST", "/controls/{control}/cancel", controls.cancel_control, OPERATOR, controls.show_control),
    Route("GET", "/overrides", overrides.list_overrides, VIEWER),
    Route("POST", "/overrides", overrides.send_override, OPERATOR, seconded=True),
    Route("GET", "/overrides/{override}", overrides.show_override, VIEWER),
    Route("GET", "/overrides/{override}/progress", overrides.show_progress, VIEWER),
    Route(
        "POST",
        "/overrides/{override}/release",
        overrides.release_override,
        OPERATOR,
        overrides.show_override,
        seconded=True,
    ),
    Route(
        "POST",
        "/overrides/{override}/extend",
        overrides.extend_override,
        OPERATOR,
        overrides.show_override,
        seconded=True,
    ),
    Route("POST", "/overrides/{override}/review", overrides.review_override, OPERATOR, overrides.show_override),
    Route("GET", "/backstops", backstops.list_backstops, VIEWER),
    Route("POST", "/backstops/prepare", backstops.prepare_backstop, ENGINEER),
    Route("POST", "/backstops/start", backstops.start_backstop, OPERATOR, seconded=True),
    Route("POST", "/backstops/test", backstops.rehearse_backstop, OPERATOR, seconded=True),
    Route("GET", "/approvals", approvals.list_approvals, VIEWER),
    Route("GET", "/approvals/{approval}", approvals.show_approval, VIEWER),
    Route("POST", "/approvals/{approval}/approve", approvals.approve_change, OPERATOR, approvals.show_approval),
    Route(
        "POST",
        "/approvals/{approval}/send",
        approvals.send_draft,
        OPERATOR,
        approvals.show_approval,
        seconded=True,
        of_request=True,
    ),
    Route("POST", "/approvals/{approval}/refuse", approvals.refuse_change, OPERATOR, approvals.show_approval),
    Route("GET", "/shift/standing", shifts.show_standing, VIEWER),
    Route("GET", "/shift/log", shifts.list_shift_log, VIEWER),
    Route("POST", "/shift/notes", shifts.add_note, OPERATOR),
    Route("POST", "/shift/handovers", shifts.hand_over, OPERATOR),
    Route("POST", "/shift/handovers/{entry}/take", shifts.take_over, OPERATOR),
    Route("GET", "/subscriptions", oversight.list_subscriptions, VIEWER),
    Route("POST", "/subscriptions/{subscription}/replay", oversight.replay_delivery, OPERATOR),
    Route("GET", "/changes-set-aside", oversight.list_set_aside, VIEWER),
    Route("POST", "/changes-set-aside/{change}/replay", oversight.replay_change, OPERATOR),
    Route("GET", "/mirrors", oversight.list_mirrors, VIEWER),
    Route("GET", "/mirrors/{mirror}", changes.show_mirror, VIEWER),
    Route("PUT", "/mirrors/{mirror}", changes.change_mirror, ENGINEER, changes.show_mirror),
    Route("DELETE", "/mirrors/{mirror}", changes.remove_mirror, ENGINEER, changes.show_mirror),
    Route("POST", "/mirrors/{mirror}/rename", changes.rename_mirror, ENGINEER, changes.show_mirror),
    Route("PUT", "/mirrors/{mirror}/post-rate", oversight.set_post_rate, ENGINEER, changes.show_mirror),
    Route("PUT", "/mirrors/{mirror}/reading-sign", oversight.set_reading_sign, ENGINEER, changes.show_mirror),
    Route("GET", "/readings", telemetry.list_readings, VIEWER),
    Route("GET", "/readings/latest", telemetry.list_latest_readings, VIEWER),
    Route("GET", "/ratings", telemetry.list_ratings, VIEWER),
    Route("GET", "/device-status", telemetry.list_device_status, VIEWER),
    Route("GET", "/log-events", telemetry.list_log_events, VIEWER),
    Route("GET", "/responses", telemetry.list_responses, VIEWER),
    Route("GET", "/compliance", compliance.list_compliance, VIEWER),
    Route("GET", "/compliance/broken", compliance.list_broken_limits, VIEWER),
    Route("GET", "/compliance/reaching", compliance.show_reaching, VIEWER),
    Route("GET", "/compliance/connections/{connection}", compliance.show_compliance, VIEWER),
    Route("GET", "/exemptions", compliance.list_exemptions, VIEWER),
    Route("POST", "/connections/{connection}/exemptions", compliance.exempt_connection, ENGINEER),
    Route("GET", "/commissioning", commissioning.list_commissionings, VIEWER),
    Route("POST", "/commissioning", commissioning.open_commissioning, ENGINEER),
    Route("GET", "/commissioning/{connection}", commissioning.show_commissioning, VIEWER),
    *(
        Route("POST", f"/commissioning/{{connection}}/{step}", handler, ENGINEER, commissioning.show_commissioning)
        for step, handler in (
            ("test", commissioning.send_test),
            ("phases", commissioning.prove_phases),
            ("pass", commissioning.pass_commissioning),
        )
    ),
    Route("GET", "/contacts", telemetry.list_contacts, VIEWER),
    Route("GET", "/device-contacts", telemetry.list_device_contacts, VIEWER),
    Route("GET", "/poll-rates", oversight.list_poll_rates, VIEWER),
    Route("GET", "/poll-rates/{resource}", oversight.show_poll_rate, VIEWER),
    Route("PUT", "/poll-rates/{resource}", oversight.set_poll_rate, ENGINEER, oversight.show_poll_rate),
    Route("GET", "/alarms", alarms.list_alarms, VIEWER),
    Route("GET", "/alarm-counts", alarms.count_alarms, VIEWER),
    Route("GET", "/alarm-kinds", alarms.list_alarm_kinds, VIEWER),
    Route("GET", "/alarm-figures", alarms.show_alarm_figures, VIEWER),
    Route("POST", "/alarms/acknowledge", alarms.acknowledge_alarms, OPERATOR),
    Route("GET", "/alarms/{alarm}", alarms.show_alarm, VIEWER),
    Route("POST", "/alarms/{alarm}/acknowledge", alarms.acknowledge_alarm, OPERATOR, alarms.show_alarm),
    Route("POST", "/alarms/{alarm}/shelve", alarms.shelve_alarm, OPERATOR, alarms.show_alarm),
    Route("POST", "/alarms/{alarm}/unshelve", alarms.unshelve_alarm, OPERATOR, alarms.show_alarm),
    Route("POST", "/alarms/{alarm}/clear", alarms.clear_alarm, OPERATOR, alarms.show_alarm),
    Route("GET", "/audit", oversight.list_audit, VIEWER),
    Route("GET", "/audit/verify", oversight.verify_audit, ENGINEER),
    Route("GET", "/state", receivers.show_state, VIEWER),
    Route("GET", "/receivers", receivers.list_receivers, ENGINEER),
    Route("POST", "/receivers", receivers.add_receiver, ADMIN, secret=True),
    Route("GET", "/receivers/{receiver}", receivers.show_receiver, ENGINEER),
    Route("PUT", "/receivers/{receiver}", receivers.set_receiver, ADMIN, receivers.show_receiver, secret=True),
    Route("DELETE", "/receivers/{receiver}", receivers.remove_receiver, ADMIN, receivers.show_receiver),
    Route("POST", "/receivers/{receiver}/test", receivers.test_receiver, OPERATOR),
    Route("POST", "/receivers/{receiver}/replay", receivers.replay_receiver, OPERATOR),
    Route("GET", "/me", operators.show_me, VIEWER),
    Route("GET", "/operators", operators.list_operators, ADMIN),
    Route("POST", "/operators", operators.add_operator, ADMIN),
    Route("GET", "/operators/{operator}", operators.show_operator, ADMIN),
    Route("PUT", "/operators/{operator}", operators.set_operator, ADMIN, operators.show_operator),
    Route("DELETE", "/operators/{operator}", operators.remove_operator, ADMIN, operators.show_operator),
    Route("POST", "/operators/{operator}/codes", operators.add_codes, ADMIN, operators.show_operator, secret=True),
    Route("DELETE", "/operators/{operator}/codes", operators.remove_codes, ADMIN, operators.show_operator),
    Route("GET", "/tokens", operators.list_tokens, ADMIN),
    Route("POST", "/tokens", operators.add_token, ADMIN, secret=True),
    Route("DELETE", "/tokens/{token}", operators.remove_token, ADMIN),
    Route("GET", "/sessions", operators.list_sessions, ADMIN),
    Route("DELETE", "/sessions/{session}", operators.end_session, ADMIN),
    Route("PUT", "/clock", oversight.set_clock, ADMIN),
    Route("POST", "/clock/confirm", oversight.confirm_clock, OPERATOR),
    *MARKET,
)


@cache
def routes() -> tuple[Route, ...]:
    """The routes of this table and those that extensions bring; an extension that can not be loaded brings none."""
    return (*TABLE, *(route for name, home in _homes() for route in _brought(name, home)))


def _homes() -> list[tuple[str, str]]:
    return [(extension.name, extension.routes) for extension in load() if extension.routes]


def _further(name: str) -> set[str]:
    """Paths of an extension that are not below its name."""
    return {path for extension in load() if extension.name == name for path in extension.paths}


def _brought(name: str, home: str) -> list[Route]:
    try:
        found: list[Route] = list(resolve(home))
    except ExtensionError as wrong:
        log.warning("routes of extension %s are left out: %s", name, wrong.detail)
        return []
    under = f"/x/{name}/"
    further = _further(name)
    assert all(route.path.startswith(under) or route.path in further for route in found), (
        f"routes of {name} are not below {under}"
    )
    return found
