"""Webhooks to the utility's own systems: what they are told of, and how each message is signed.

Headers and signature are those of Standard Webhooks (standardwebhooks.com), which many languages have libraries for.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from enum import StrEnum


class Topic(StrEnum):
    """What a receiver can be told of."""

    ALARMS = "alarms"
    """raised and cleared, each of them"""
    AUDIT = "audit"
    """every hour, the end of the audit log, signed with the server's key"""
    CONTROLS = "controls"
    """what a connection or group is asked for, its newest state"""
    MEASURED = "measured"
    """every five minutes, the latest power of each connection that posted since"""


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
