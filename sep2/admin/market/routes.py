"""Every route of the operator API below `/market`."""

from sep2.admin.bulk import LARGEST_IMPORT
from sep2.admin.market import aggregations as a
from sep2.admin.market import ders as d
from sep2.admin.market import factors as f
from sep2.admin.market import parties as p
from sep2.admin.market import reviews as r
from sep2.rest.route import Route
from sep2.rules.roles import ENGINEER, OPERATOR, VIEWER

_PARTY, _DER, _AGGREGATION = "/market/parties/{party}", "/market/ders/{der}", "/market/aggregations/{aggregation}"
_REVIEW = "/market/reviews/{review}"

TABLE = (
    Route("GET", "/market/parties", p.list_parties, VIEWER),
    Route("POST", "/market/parties", p.add_party, ENGINEER),
    Route("GET", _PARTY, p.show_party, VIEWER),
    Route("PUT", _PARTY, p.set_party, ENGINEER, p.before_party),
    Route("DELETE", _PARTY, p.remove_party, ENGINEER, p.before_party),
    Route("POST", f"{_PARTY}/rename", p.rename_party, ENGINEER, p.before_party),
    Route("POST", f"{_PARTY}/certificates", p.add_party_certificate, ENGINEER, p.before_party),
    Route("DELETE", f"{_PARTY}/certificates/{{lfdi}}", p.remove_party_certificate, ENGINEER, p.before_party),
    Route("GET", "/market/ders", d.list_ders, VIEWER),
    Route("POST", "/market/ders", d.add_der, ENGINEER),
    Route("POST", "/market/import/ders", d.import_ders, ENGINEER, largest_body=LARGEST_IMPORT),
    Route("GET", "/market/export/ders", d.export_ders, VIEWER),
    Route("GET", _DER, d.show_der, VIEWER),
    Route("PUT", _DER, d.set_der, ENGINEER, d.before_der),
    Route("DELETE", _DER, d.remove_der, ENGINEER, d.before_der),
    Route("POST", f"{_DER}/rename", d.rename_der, ENGINEER, d.before_der),
    Route("PUT", f"{_DER}/consent", d.give_consent, ENGINEER, d.before_der),
    Route("DELETE", f"{_DER}/consent", d.revoke_consent, ENGINEER, d.before_der),
    Route("GET", "/market/aggregations", a.list_aggregations, VIEWER),
    Route("POST", "/market/aggregations", a.add_aggregation, ENGINEER),
    Route("POST", "/market/import/factors", f.import_factors, ENGINEER, largest_body=LARGEST_IMPORT),
    Route("GET", _AGGREGATION, a.show_aggregation, VIEWER),
    Route("PUT", _AGGREGATION, a.set_aggregation, ENGINEER, a.before_aggregation),
    Route("DELETE", _AGGREGATION, a.remove_aggregation, ENGINEER, a.before_aggregation),
    Route("POST", f"{_AGGREGATION}/rename", a.rename_aggregation, ENGINEER, a.before_aggregation),
    Route("POST", f"{_AGGREGATION}/suspend", a.suspend_aggregation, OPERATOR, a.before_aggregation),
    Route("POST", f"{_AGGREGATION}/reinstate", a.reinstate_aggregation, OPERATOR, a.before_aggregation),
    Route("POST", f"{_AGGREGATION}/withdraw", a.withdraw_aggregation, ENGINEER, a.before_aggregation),
    Route("GET", f"{_AGGREGATION}/members", a.list_members, VIEWER),
    Route("POST", f"{_AGGREGATION}/members", a.add_members, ENGINEER),
    Route("DELETE", f"{_AGGREGATION}/members/{{der}}", a.end_member, ENGINEER),
    Route("POST", f"{_AGGREGATION}/submit", r.submit_aggregation, ENGINEER, a.before_aggregation),
    Route("GET", "/market/reviews", r.list_reviews, VIEWER),
    Route("GET", _REVIEW, r.show_review, VIEWER),
    Route("POST", f"{_REVIEW}/incomplete", r.find_incomplete, OPERATOR, r.show_review),
    Route("POST", f"{_REVIEW}/screen", r.screen_review, OPERATOR),
    Route("POST", f"{_REVIEW}/pause", r.pause_review, OPERATOR, r.show_review),
    Route("POST", f"{_REVIEW}/resume", r.resume_review, OPERATOR, r.show_review),
    Route("POST", f"{_REVIEW}/withdraw", r.withdraw_review, ENGINEER, r.show_review),
    Route("POST", f"{_REVIEW}/decide", r.decide_review, OPERATOR, seconded=True),
    Route("POST", f"{_REVIEW}/dispute", r.dispute_review, OPERATOR, r.show_review),
    Route("POST", f"{_REVIEW}/close-dispute", r.close_dispute, OPERATOR, r.show_review),
    Route("GET", f"{_REVIEW}/letter", r.show_letter, VIEWER),
)
