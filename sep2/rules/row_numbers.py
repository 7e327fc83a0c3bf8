"""Numbers of rows as operators type them in a path."""

NO_ROW = -1
"""A number that no row has."""


def row_number(text: str) -> int:
    """The number that a text says; NO_ROW where no row can have it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else NO_ROW
