"""Routes of the operator API below `/market` for commitments, dispatch, settlement and evidence."""

from sep2.admin.bulk import LARGEST_IMPORT
from sep2.admin.market import commitments as c
from sep2.admin.market import dispatches as d
from sep2.admin.market import evidence as e
from sep2.admin.market import settlement as s
from sep2.rest.route import Route
from sep2.rules.roles import OPERATOR, VIEWER

_COMMITMENT = "/market/commitments/{commitment}"

TABLE = (
    Route("GET", "/market/commitments", c.list_commitments, VIEWER),
    Route("POST", "/market/commitments", c.request_commitment, OPERATOR),
    Route("GET", _COMMITMENT, c.show_commitment, VIEWER),
    Route("POST", f"{_COMMITMENT}/hold", c.hold_commitment, OPERATOR, c.show_commitment),
    Route("POST", f"{_COMMITMENT}/deny", c.deny_commitment, OPERATOR, c.show_commitment),
    Route("POST", f"{_COMMITMENT}/release", c.release_commitment, OPERATOR, c.show_commitment),
    Route("POST", f"{_COMMITMENT}/move", c.move_commitment, OPERATOR, c.show_commitment),
    Route("GET", "/market/dispatches", d.list_dispatches, VIEWER),
    Route("POST", "/market/dispatches", d.add_dispatches, OPERATOR),
    Route("POST", "/market/import/dispatches", d.import_dispatches, OPERATOR, largest_body=LARGEST_IMPORT),
    Route("GET", "/market/dispatches/{dispatch}", d.show_dispatch, VIEWER),
    Route("POST", "/market/settle", s.settle_market, OPERATOR, ahead=s.calculate_settlement),
    Route("GET", "/market/settlements/{aggregation}", s.show_settlement, VIEWER),
    Route("GET", "/market/settlements/{aggregation}/intervals", s.list_intervals, VIEWER),
    Route("GET", "/market/firm/{aggregation}", s.show_firm, VIEWER),
    Route("GET", "/market/baselines/{der}", s.show_baseline, VIEWER),
    Route("GET", "/market/evidence", e.list_evidence, VIEWER),
    Route("POST", "/market/evidence", e.pack_evidence, OPERATOR, ahead=e.build_evidence),
    Route("GET", "/market/evidence/{pack}", e.show_evidence, VIEWER),
    Route("GET", "/market/report", e.report_market, VIEWER),
)
