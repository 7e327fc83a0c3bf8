"""A good body for every route of the operator API that takes one, by its verb."""

from typing import Any

from tests.admin.conftest import NOW

NEW_CONTROLS: dict[str, Any] = {
    "controls": [{"start": NOW, "duration": 60, "limits": {"export_w": 1}}],
    "reason": "",
    "anyway": True,
}
SHEET: dict[str, Any] = {"columns": ["place", "kind", "parent"], "rows": [["FD2", "feeder", ""]]}
DER_FACTS: dict[str, Any] = {
    **{"edc_account": "A-1", "connection": "NMI1", "meter_id": "M-1", "device_type": "battery", "phases": "A"},
    **{"max_gen_w": 5000, "max_load_w": 5000, "import_agreement_w": 9000, "export_agreement_w": 5000},
}
MARKET_BODIES: dict[str, dict[str, Any]] = {
    "add_party": {
        **{"name": "North", "kind": "aggregator", "status": "active", "market_ids": {"pjm": "N1"}},
        "programmes": ["p"],
        **{
            "contacts": [{"role": "desk", "name": "Ada", "phone": "+1", "is_24x7": True}],
            "agreement": {"ref": "A", "signed": NOW},
            "valid_from": None,
        },
    },
    "set_party": {"kind": "aggregator", "status": "active", "contacts": [], "market_ids": {}, "valid_from": NOW},
    "rename_party": {"name": "West"},
    "add_party_certificate": {"lfdi": "C9" * 20, "purpose": "both", "valid_from": None},
    "add_der": {
        **{"name": "cell", "party": "North", "facts": DER_FACTS, "confirmed": True, "valid_from": None},
        "consent": {"scopes": ["registration"], "given_by": "Ada", "given_at": NOW, "expires": None},
    },
    "set_der": {"meter_id": "M-2", "max_gen_w": 4000, "phases": "B", "studied_services": ["energy"], "nem": True},
    "rename_der": {"name": "cell 2"},
    "give_consent": {"scopes": ["registration"], "given_by": "Ada", "given_at": NOW, "document_sha256": ""},
    "import_ders": {"sheet": {"columns": ["name"], "rows": [["x"]]}, "party": "North", "confirmed": False},
    "add_aggregation": {
        **{"name": "South", "party": "North", "profile": "pjm", "model": "single", "iso_nodes": ["N1"]},
        **{"services": ["energy"], "inject_w": 200_000, "reduce_w": 0, "telemetry_class": "small", "valid_from": None},
    },
    "set_aggregation": {"services": ["energy"], "inject_w": 150_000, "iso_resource_id": "R1", "valid_from": None},
    "import_factors": {
        "sheet": {"columns": ["aggregation", "iso_node", "factor_ppm"], "rows": [["South", "N1", "1000000"]]},
        "valid_from": None,
    },
    "rename_aggregation": {"name": "East"},
    "suspend_aggregation": {"reason": "x"},
    "reinstate_aggregation": {"reason": "x"},
    "withdraw_aggregation": {"reason": "x"},
    "add_members": {"ders": ["cell"], "share_ppm": 1_000_000, "iso_node": "N1", "valid_from": None, "valid_to": None},
    "end_member": {"valid_to": None},
    "find_incomplete": {"missing": ["a consent"]},
    "pause_review": {"asked_for": "a meter"},
    "resume_review": {"answer": "it is there"},
    "decide_review": {"ders": [{"der": "cell", "outcome": "ok"}], "others": "ok", "note": "", "digest": ""},
    "dispute_review": {"raised_by": "Ada", "about": "cell", "basis": "x", "stay": False, "regulator_ref": ""},
    "close_dispute": {"outcome": "x", "state": "rejected"},
    "request_commitment": {
        **{"der": "cell", "service": "energy", "start": NOW + 7200, "end": NOW + 14_400, "holder": "local"},
        **{"program": "p", "basis": "x", "profile": "pjm", "hold": False},
    },
    "deny_commitment": {"reason": "x"},
    "add_dispatches": {
        "dispatches": [
            {
                **{"iso_dispatch_id": "I1", "iso_resource_id": "R1", "issued_at": NOW, "start": NOW + 300},
                **{"end": NOW + 600, "target_w": 5000, "kind": "dispatch"},
            }
        ],
        "source": "x",
    },
    "settle_market": {"aggregation": "VPP", "day": None, "start": NOW - 7200, "end": NOW - 3600, "available": []},
    "submit_plan": {
        **{"aggregation": "South", "basis": "bid", "service": "energy", "step_s": 1800, "name": "p", "day": ""},
        **{"waive_firm": False, "csv": ""},
        "nodes": [{"node": "N1", "steps": [{"start": NOW + 1800, "low_w": 0, "plan_w": 1, "high_w": 2}]}],
    },
    "send_market_override": {
        **{"aggregation": "South", "notice": "forecast", "limits": {"export_w": 1}, "modes": {}, "ders": ["cell"]},
        **{"node": "", "start": NOW, "end": None, "duration": 60, "reason": "test", "note": "", "binding": "x"},
        **{"fairness_note": "x", "also": [], "digest": ""},
    },
    "explain_emergency": {"reason": "x"},
    "note_override_call": {"note": "x"},
    "close_override_dispute": {"answer": 1, "outcome": "x"},
    "pack_evidence": {"aggregation": "VPP", "start": NOW - 7200, "end": NOW - 3600, "as_of": NOW},
    "import_dispatches": {"form": "json", "text": "[]", "source": "x"},
    "release_commitment": {"start": NOW, "end": NOW + 3600},
    "move_commitment": {
        "service": "energy",
        "holder": "local",
        "program": "p",
        "start": None,
        "end": None,
        "basis": "x",
    },
}
READ = {"kind": "scada", "place": "head", "quantity": "v", "start": NOW, "duration_s": 60, "value": 230.0}
ENGINE_BODIES: dict[str, dict[str, Any]] = {
    "decide": {"reason": "x", "mode": "contract", "abnormal": None, "safe": None},
    "take_model": {"reason": "x", "digest": ""},
    "add_measurements": {"measurements": [READ]},
    "add_outage": {"start": NOW, "end": NOW + 60, "what": "", "note": "x"},
    "remove_outage": {"start": NOW, "end": NOW + 60, "what": ""},
}
BODIES: dict[str, dict[str, Any]] = {
    **MARKET_BODIES,
    **ENGINE_BODIES,
    "register_client": {
        **{"name": "x", "lfdi": "C" * 40, "profile": "csip", "registration": "in-band", "pen": 1},
        **{"receiver_hosts": ["h"], "connections": []},
    },
    "change_client": {"enabled": True},
    "add_connection": {
        "connection_id": "NMI9",
        "description": "",
        "firm_import_w": 1,
        "firm_export_w": 1,
        "protected": "none",
    },
    "add_device": {
        **{"lfdi": "D9" * 20, "client": "Sunny", "name": "n", "profile": "csip", "connection_id": None},
        **{"holds_net_limit": True, "pin": 111115, "post_rate": 60, "device_category": 1},
        **{"floor": None, "controllable_loads": None, "load_control_w": 7200},
    },
    "create_group": {"name": "g", "level": "NT", "primacy": 1, "description": ""},
    "change_group": {"primacy": 1, "level": "NT", "description": ""},
    "assign": {"devices": ["D1D1"]},
    "set_default": {"limits": {"export_w": 1}, "modes": {}, "set_grad_w": 1, "set_soft_grad_w": 1, "enter_service": {}},
    "create_curve": {
        **{"kind": "opModVoltVar", "points": [{"x": 98, "y": 44}], "reference": None, "description": ""},
        **{"open_loop_tms": 1, "ramp_dec_tms": 1, "ramp_inc_tms": 1, "ramp_pt1_tms": 1},
        **{"v_ref": 1, "autonomous_v_ref": True, "autonomous_v_ref_tms": 1},
    },
    "issue_controls": NEW_CONTROLS,
    "move_device": {"connection_id": "NMI1", "holds_net_limit": True},
    "send_to_connection": NEW_CONTROLS,
    "send_to_device": NEW_CONTROLS,
    "send_override": {
        **{"scope": "connection", "subject": "NMI1", "limits": {"export_w": 1}, "modes": {}, "ramp_tms": 1},
        **{"start": NOW, "end": None, "duration": 60, "reason": "test", "note": "", "anyway": False},
        **{"also": [], "digest": ""},
    },
    "release_override": {"reason": "", "spread": 1, "digest": ""},
    "extend_override": {"end": None, "duration": 60, "digest": ""},
    "review_override": {"note": ""},
    "prepare_backstop": {"place": None},
    "start_backstop": {
        **{"place": None, "kind": "export", "end": None, "duration": 60, "reason": "test", "note": "", "also": []},
        **{"digest": ""},
    },
    "rehearse_backstop": {"place": None, "kind": "export", "share": 50, "duration": 60, "note": "", "digest": ""},
    "approve_change": {"digest": ""},
    "send_draft": {"digest": ""},
    "refuse_change": {"note": ""},
    "add_note": {"note": "x"},
    "hand_over": {"note": ""},
    "cancel_control": {"reason": "", "randomized": False},
    "acknowledge_alarm": {"note": "x"},
    "acknowledge_alarms": {"alarms": [1], "note": "x"},
    "shelve_alarm": {"reason": "x", "duration": 60, "until": None},
    "set_poll_rate": {"seconds": 60},
    "set_post_rate": {"seconds": 60},
    "set_reading_sign": {"reading_sign": "reversed"},
    "open_commissioning": {"connection": "NMI1"},
    "send_test": {"limits": {"export_w": 1}, "duration": 300},
    "prove_phases": {"phases": "a", "how": "clamp"},
    "pass_commissioning": {"note": ""},
    "exempt_connection": {"start": NOW, "duration": 60, "reason": "x"},
    "set_clock": {"now": NOW},
    "add_receiver": {
        **{"name": "x", "url": "https://derms.example.com/x", "topics": ["alarms"], "least_priority": 1},
    },
    "set_receiver": {
        **{"url": "https://derms.example.com/x", "topics": ["alarms"], "least_priority": 1, "enabled": True},
        **{"new_secret": True},
    },
    "add_operator": {"name": "Ada", "role": "viewer", "password": None},
    "set_operator": {"role": "admin", "password": None},
    "add_token": {"operator": "local", "label": "x", "role": "viewer", "read_only": True, "expires": None},
    "remove_client": {"with_devices": False, "to": "gateway"},
    "rename_client": {"name": "Gale"},
    "replace_certificate": {"lfdi": "C" * 40, "overlap": 60},
    "finish_replacement": {"anyway": False},
    "move_devices": {"client": "gateway"},
    "change_connection": {"description": "", "firm_import_w": 1, "firm_export_w": 1, "protected": "none"},
    "remove_connection": {"with_devices": False, "to": "NMI2"},
    "erase_connection": {"digest": ""},
    "move_customer_in": {"reference": "C-88"},
    "rename_connection": {"name": "NMI9"},
    "change_device": {
        **{"enabled": True, "pin": 111115, "post_rate": 60, "device_category": 1},
        **{"floor": "de-14a", "controllable_loads": 2, "load_control_w": None},
    },
    "rename_device": {"name": "roof"},
    "move_device_to_client": {"client": "Sunny"},
    "remove_group": {"with_devices": False, "to": "g"},
    "rename_group": {"name": "h"},
    "import_sheets": {
        **{"clients": None, "places": SHEET, "devices": None, "client": "Sunny", "partial": False},
        **{"connections": {"columns": ["connection_id"], "rows": [["NMI8"]]}},
    },
    "add_place": {"name": "T7", "kind": "transformer", "parent": None, "primacy": 9, "description": ""},
    "remove_place": {"to": None},
    "rename_place": {"name": "T8"},
    "move_place": {"parent": None},
    "put_connections": {"connections": ["NMI1"]},
    "rename_curve": {"name": "c"},
    "send_to_many": NEW_CONTROLS | {"scope": "aggregator", "subject": "Sunny"},
    "change_mirror": {"post_rate": 60, "reading_sign": "reversed"},
    "remove_mirror": {"with_readings": False},
    "rename_mirror": {"name": "m"},
    "finish_restore": {"anyway": True},
}
CONTROL = {
    **{"start": NOW, "duration": 60, "limits": {"export_w": 1, "import_w": 1, "gen_w": 1, "load_w": 1}, "modes": {}},
    **{"ramp_tms": 1, "randomize_start": 1, "randomize_duration": 1, "device_category": 1, "description": ""},
}
