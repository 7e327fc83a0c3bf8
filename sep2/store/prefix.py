"""Conditions on how a text begins that an index serves; its column is sorted by code points on every database."""

from typing import Any

from sqlalchemy import ColumnElement, and_

AFTER_ALL = "\U0010ffff"
"""The last character in the order of code points."""


def begins(column: ColumnElement[Any], start: str) -> ColumnElement[bool]:
    """Whether the text in the column begins so."""
    return and_(column >= start, column < start + AFTER_ALL)
