"""One-time codes of an authenticator app (TOTP, RFC 6238): the second factor of operators with a password."""

import base64
import hmac
import re
import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

DIGITS, STEP_S = 6, 30
ISSUER = "sep2"
EARLIER, LATER = 1, 1
"""Steps by which the clock of a telephone may be behind and ahead."""


def new_secret() -> str:
    """A secret of 160 random bits, in base 32 as apps take it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def _codes(secret: str) -> TOTP:
    # Apps know no other hash than SHA-1; RFC 6238 uses it as an HMAC, which its collisions do not touch.
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_S)  # noqa: S303


def link(secret: str, name: str) -> str:
    """What an app reads the secret from, as text or as a QR code."""
    return _codes(secret).get_provisioning_uri(name, ISSUER)


def step_of(secret: str, code: str, now: int) -> int | None:
    """The step of time whose code this is, around now; None where it is none of them."""
    said = code.replace(" ", "")
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", said):
        return None
    codes, step = _codes(secret), now // STEP_S
    for one in range(step - EARLIER, step + LATER + 1):
        if hmac.compare_digest(codes.generate(one * STEP_S), said.encode()):
            return one
    return None
