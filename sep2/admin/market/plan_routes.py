"""Routes of the operator API below `/market` for what comes before a market runs: deliverables, plans, verdicts."""

from sep2.admin.market import plans as p
from sep2.rest.route import Route
from sep2.rules.roles import VIEWER

TABLE = (Route("GET", "/market/aggregations/{aggregation}/deliverable", p.show_deliverable, VIEWER),)
