"""Signatures of copies of messages: a detached JWS with Ed25519 (RFC 7515, 7797, 9864) over the octets of the body."""

import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from sep2.rules.market.packs import Signer

HEADER = "webhook-jws"
ALGORITHM = "Ed25519"
_DETACHED = {"alg": ALGORITHM, "b64": False, "crit": ["b64"]}


def public_key(signer: Signer) -> dict[str, Any]:
    """The key that signatures are checked with, as a JWK; `kid` is the beginning of its digest."""
    octets = signer.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = OKPKey.import_key(signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    found: dict[str, Any] = dict(public.as_dict(private=False))
    return {**found, "kid": hashlib.sha256(octets).hexdigest()[:16], "use": "sig", "alg": ALGORITHM}


def signature(body: bytes, signer: Signer) -> str:
    """The JWS of a body without the body: header, two dots, signature."""
    key = OKPKey.import_key(signer.key)
    header = {**_DETACHED, "kid": public_key(signer)["kid"]}
    made = jws.serialize_compact(header, body, key, algorithms=[ALGORITHM])
    head, _, signed = made.split(".")
    return f"{head}..{signed}"


def is_signed(jws_text: str, body: bytes, keys: Mapping[str, Any]) -> bool:
    """Whether a JWS is of this body by one of these keys (a JWK set); how a receiver checks it."""
    try:
        found = jws.deserialize_compact(
            jws_text, KeySet([OKPKey.import_key(one) for one in keys["keys"]]), algorithms=[ALGORITHM], payload=body
        )
    except (JoseError, ValueError):
        return False
    return bool(found.payload == body)
