"""The only code that speaks SQL."""

from sep2.store import tables_served  # so that `tables.metadata` knows every table
from sep2.store.connection import Busy, Clash, Connection, Done
from sep2.store.database import Database, migrate, open_database
from sep2.store.page import Found, select_page

__all__ = [
    "Busy",
    "Clash",
    "Connection",
    "Database",
    "Done",
    "Found",
    "migrate",
    "open_database",
    "select_page",
    "tables_served",
]
