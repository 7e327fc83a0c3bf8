"""How strictly a trust anchor's certificates are looked at."""

from enum import StrEnum


class Strictness(StrEnum):
    """How far the certificates under a trust anchor may stray from the profile."""

    STRICT = "strict"
    """Every rule counts; conformance runs use this."""
    LENIENT = "lenient"
    """Departures in form are tolerated: certificates of real vendors have them."""
