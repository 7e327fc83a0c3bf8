"""Webhooks to the utility's own systems: what they are told of, and how each message is signed.

Headers and signature are those of Standard Webhooks (standardwebhooks.com), which many languages have libraries for.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Topic(StrEnum):
    """What a receiver can be told of."""

    ALARMS = "alarms"
    """raised and cleared, each of them"""
    AUDIT = "audit"
    """every hour, the end of the audit log, signed with the server's key"""
    CONTROLS = "controls"
    """what a connection or group is asked for, its newest state"""
    MARKET = "market"
    """what was decided of aggregations"""
    MEASURED = "measured"
    """every five minutes, the latest power of each connection that posted since"""


OF_A_PARTY = "[]"
"""The topics, as they are stored, of a receiver that a market's party has named: it is told what the party is told."""


class Wish(NamedTuple):
    """Which alarms a receiver wants to be told of."""

    least_priority: int = 3
    """1 only the most urgent, 3 all"""
    codes: frozenset[str] = frozenset()
    """empty: of every kind"""
    hours: str = ""
    """by local time, such as 07:00-18:00; empty: always"""
    escalation: bool = False
    """only those that nobody has acknowledged in time"""


class Said(NamedTuple):
    """What is told of one alarm, or of several together."""

    priority: int
    codes: frozenset[str]
    is_escalation: bool = False
    """It is told because nobody has acknowledged it in time."""
    was_escalated: bool = False
    """It is over, and had been escalated."""


_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


def are_hours(text: str) -> bool:
    """Whether a text reads as hours of a day, such as 07:00-18:00 or 18:00-07:00."""
    return _HOURS.fullmatch(text) is not None


def is_within(hours: str, minute: int) -> bool:
    """Whether a minute of the day is within hours, which may go beyond midnight; empty hours are always."""
    found = _HOURS.fullmatch(hours)
    if found is None:
        return True
    begin, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def wants(wish: Wish, said: Said, minute: int, *, are_escalated: bool) -> bool:
    """Whether a receiver is told; are_escalated: whether some receiver is for escalations only."""
    if said.priority > wish.least_priority or not is_within(wish.hours, minute):
        return False
    if wish.codes and wish.codes.isdisjoint(said.codes):
        return False
    if wish.escalation:
        return said.is_escalation or said.was_escalated
    return not said.is_escalation or not are_escalated


PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret that a receiver checks signatures with."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(secret: str, message_id: str, at: int, body: bytes) -> Mapping[str, str]:
    """The headers of a message: its id, which is the same at each attempt, the time, and the HMAC-SHA256 of all."""
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(_mac(secret, message_id, at, body)).decode()}",
    }


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a message is from who knows the secret; how a receiver checks it, beside the age of its timestamp."""
    try:
        at = int(headers["webhook-timestamp"])
        shown = [base64.b64decode(one[3:]) for one in headers["webhook-signature"].split() if one.startswith("v1,")]
        right = _mac(secret, headers["webhook-id"], at, body)
    except (KeyError, ValueError, binascii.Error):
        return False
    return any(hmac.compare_digest(right, one) for one in shown)


def _mac(secret: str, message_id: str, at: int, body: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
