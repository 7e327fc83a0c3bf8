"""Routes of the operator API below `/market` for overrides of aggregations, and for what parties are told."""

from sep2.admin.market import overrides as o
from sep2.rest.route import Route
from sep2.rules.roles import OPERATOR, VIEWER

_OVERRIDE = "/market/overrides/{override}"

TABLE = (
    Route("GET", "/market/overrides", o.list_market_overrides, VIEWER),
    Route("POST", "/market/overrides", o.send_market_override, OPERATOR, seconded=True),
    Route("GET", _OVERRIDE, o.show_market_override, VIEWER),
    Route("POST", f"{_OVERRIDE}/reason", o.explain_emergency, OPERATOR, o.show_market_override),
    Route("POST", f"{_OVERRIDE}/call", o.note_override_call, OPERATOR, o.show_market_override),
    Route("POST", f"{_OVERRIDE}/close-dispute", o.close_override_dispute, OPERATOR, o.show_market_override),
    Route("GET", "/market/outages", o.list_market_outages, VIEWER),
    Route("GET", "/market/messages", o.list_market_messages, VIEWER),
)
