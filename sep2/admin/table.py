"""Every route of the operator API, and nothing else."""

from sep2.admin import controls, groups, oversight, register
from sep2.admin.route import Route

TABLE = (
    Route("GET", "/status", oversight.show_status),
    Route("GET", "/clients", register.list_clients),
    Route("POST", "/clients", register.register_client),
    Route("GET", "/clients/{client}", register.show_client),
    Route("PUT", "/clients/{client}", register.change_client),
    Route("GET", "/connections", register.list_connections),
    Route("POST", "/connections", register.add_connection),
    Route("GET", "/connections/{connection}", register.show_connection),
    Route("GET", "/devices", register.list_devices),
    Route("POST", "/devices", register.add_device),
    Route("GET", "/devices/{device}", register.show_device),
    Route("DELETE", "/devices/{device}", register.remove_device),
    Route("GET", "/groups", groups.list_groups),
    Route("POST", "/groups", groups.create_group),
    Route("GET", "/groups/{group}", groups.show_group),
    Route("PUT", "/groups/{group}", groups.set_primacy),
    Route("POST", "/groups/{group}/devices", groups.assign),
    Route("DELETE", "/groups/{group}/devices/{device}", groups.unassign),
    Route("GET", "/groups/{group}/default", groups.show_default),
    Route("PUT", "/groups/{group}/default", groups.set_default),
    Route("POST", "/groups/{group}/controls", controls.issue_controls),
    Route("GET", "/controls", controls.list_controls),
    Route("GET", "/controls/{control}", controls.show_control),
    Route("POST", "/controls/{control}/cancel", controls.cancel_control),
    Route("GET", "/subscriptions", oversight.list_subscriptions),
    Route("POST", "/subscriptions/{subscription}/replay", oversight.replay_delivery),
    Route("GET", "/poll-rates", oversight.list_poll_rates),
    Route("PUT", "/poll-rates/{resource}", oversight.set_poll_rate),
    Route("GET", "/alarms", oversight.list_alarms),
    Route("POST", "/alarms/{alarm}/clear", oversight.clear_alarm),
    Route("GET", "/audit", oversight.list_audit),
    Route("PUT", "/clock", oversight.set_clock),
)
