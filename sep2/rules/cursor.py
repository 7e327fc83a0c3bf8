"""Keyset cursors: where the next page of a list begins, as text that its reader hands back unread."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import NamedTuple

from sep2.errors import BadRequest

Key = tuple[int | str, ...]
LONGEST = 1000
LARGEST = 2**63 - 1


class BadCursor(BadRequest):
    """`after` is not the `next` of an earlier page of this list."""


class Keyset(NamedTuple):
    """The page that follows the row with the key `after`; at most `limit` rows, counted to the end if `exact`."""

    limit: int
    after: Key | None = None
    exact: bool = False


def encode(key: Sequence[int | str]) -> str:
    """The cursor of a row, from the values that its list is ordered by."""
    text = json.dumps(list(key), separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> Key:
    """The values in a cursor; BadCursor if it is none."""
    if len(cursor) > LONGEST:
        raise BadCursor
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise BadCursor(cursor[:40]) from None
    if not isinstance(found, list) or not found or not all(_may_be_a_key(value) for value in found):
        raise BadCursor(cursor[:40])
    return tuple(found)


def _may_be_a_key(value: object) -> bool:
    return (type(value) is int and abs(value) <= LARGEST) or (isinstance(value, str) and "\0" not in value)
