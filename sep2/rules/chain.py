"""The audit log as a chain: each row's hash covers the row before, so that a change to any of them shows."""

import hashlib
import json
from typing import NamedTuple

FIRST = "0" * 64
"""What stands for the hash before the first row."""


class Link(NamedTuple):
    """What a row of the audit log says; the hash covers all of it, and of the details their digest."""

    at: int
    operator: str
    label: str
    via: str
    address: str
    request: str
    verb: str
    subject: str
    outcome: str
    detail_digest: str


def sealed(at: int, audit_id: int, head: str) -> bytes:
    """What is signed of the end of the chain: when, its last row and that row's hash."""
    return f"sep2 audit head\n{at}\n{audit_id}\n{head}".encode()


def digest(detail: str) -> str:
    """The digest of a row's details, in hexadecimal."""
    return hashlib.sha256(detail.encode(errors="backslashreplace")).hexdigest()


def hash_of(previous: str, row: Link) -> str:
    """The hash of a row that follows one with the hash `previous`, in hexadecimal."""
    said = previous + json.dumps(list(row), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode(errors="backslashreplace")).hexdigest()
