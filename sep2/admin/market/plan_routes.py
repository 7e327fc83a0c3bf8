"""Routes of the operator API below `/market` for what comes before a market runs: deliverables, plans, verdicts."""

from sep2.admin.bulk import LARGEST_IMPORT
from sep2.admin.market import plans as p
from sep2.rest.route import Route
from sep2.rules.roles import OPERATOR, VIEWER

TABLE = (
    Route("GET", "/market/aggregations/{aggregation}/deliverable", p.show_deliverable, VIEWER),
    Route("GET", "/market/aggregations/{aggregation}/credit", p.show_credit, VIEWER),
    Route("GET", "/market/plans", p.list_plans, VIEWER),
    Route("POST", "/market/plans", p.submit_plan, OPERATOR, largest_body=LARGEST_IMPORT, kept_apart=("nodes", "csv")),
    Route("GET", "/market/plans/{plan}", p.show_plan, VIEWER),
)
