"""The only code that speaks SQL."""

from sep2.store import (  # so that `tables.metadata` knows every table
    alarm_tables,
    approval_tables,
    diagram_tables,
    judged_tables,
    operator_tables,
    override_tables,
    restored_tables,
    seen_tables,
    tables_served,
    webhook_tables,
)
from sep2.store.connection import Busy, Clash, Connection, Done
from sep2.store.database import Database
from sep2.store.market import after_tables as market_after_tables
from sep2.store.market import override_tables as market_override_tables
from sep2.store.market import plan_tables as market_plan_tables
from sep2.store.market import tables as market_tables
from sep2.store.opening import migrate, open_database
from sep2.store.page import Found, select_page

__all__ = [
    "Busy",
    "Clash",
    "Connection",
    "Database",
    "Done",
    "Found",
    "alarm_tables",
    "approval_tables",
    "diagram_tables",
    "judged_tables",
    "market_after_tables",
    "market_override_tables",
    "market_plan_tables",
    "market_tables",
    "migrate",
    "open_database",
    "operator_tables",
    "override_tables",
    "restored_tables",
    "seen_tables",
    "select_page",
    "tables_served",
    "webhook_tables",
]
