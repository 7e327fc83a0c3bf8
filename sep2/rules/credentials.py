"""Tokens and passwords of operators: how they are made, and what is stored of them."""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from typing import NamedTuple

PREFIX = "sep2_"
_TOKEN = re.compile(r"sep2_([0-9a-f]{12})_[\w-]{43}", re.ASCII)
_COST, _BLOCK, _PARALLEL = 2**15, 8, 1
_MEMORY = 64 * 1024 * 1024
LEAST_PASSWORD, LONGEST_PASSWORD = 12, 200


class Token(NamedTuple):
    """A new bearer token: the id that it is known by, the text that is shown once, and the digest that is kept."""

    id: str
    text: str
    digest: str


def new_token() -> Token:
    """A token of 256 random bits."""
    number = secrets.token_hex(6)
    text = f"{PREFIX}{number}_{secrets.token_urlsafe(32)}"
    return Token(number, text, digest(text))


def token_id(text: str) -> str | None:
    """The id in a token; None where it is none of ours."""
    found = _TOKEN.fullmatch(text)
    return found[1] if found else None


def digest(secret: str) -> str:
    """What is stored of a secret of 256 random bits; it needs no salt."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def is_that(secret: str, stored: str) -> bool:
    """Whether a secret has the stored digest, in the same time whatever it is."""
    return hmac.compare_digest(digest(secret), stored)


def hashed(password: str) -> str:
    """What is stored of a password: scrypt with a salt of its own; takes about 70 ms of CPU."""
    salt = secrets.token_bytes(16)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(_scrypt(password, salt)).decode()}"


def fits(password: str, stored: str) -> bool:
    """Whether a password is the stored one; takes as long as to hash it."""
    _, salt, key = stored.split("$")
    return hmac.compare_digest(_scrypt(password, base64.b64decode(salt)), base64.b64decode(key))


def _scrypt(password: str, salt: bytes) -> bytes:
    said = unicodedata.normalize("NFKC", password).encode(errors="replace")
    return hashlib.scrypt(said, salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, maxmem=_MEMORY, dklen=32)


def folded(name: str) -> str:
    """What a name is compared by: without regard to case and width."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
