"""Certificates of IEEE 2030.5: authorities, identities, the numbers they prove, and TLS that uses them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from certs.authority import Authority
    from certs.check import Finding, check_chain
    from certs.errors import BadCertificate, NoCcm8
    from certs.identifiers import lfdi_of, new_pin, pin_with_check, sfdi_of
    from certs.identity import Files, Identity
    from certs.strictness import Strictness
    from certs.trust import Peer, Trust

__all__ = [
    "Authority",
    "BadCertificate",
    "Files",
    "Finding",
    "Identity",
    "NoCcm8",
    "Peer",
    "Strictness",
    "Trust",
    "check_chain",
    "lfdi_of",
    "new_pin",
    "pin_with_check",
    "sfdi_of",
]

_HOMES = {
    "authority": ("Authority",),
    "check": ("Finding", "check_chain"),
    "errors": ("BadCertificate", "NoCcm8"),
    "identifiers": ("lfdi_of", "new_pin", "pin_with_check", "sfdi_of"),
    "identity": ("Files", "Identity"),
    "strictness": ("Strictness",),
    "trust": ("Peer", "Trust"),
}


def __getattr__(name: str) -> Any:
    """Import a name where it is first used: the command line must not wait for the cryptography library."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"certs.{module}"), name)
    raise AttributeError(f"module 'certs' has no attribute {name!r}")
