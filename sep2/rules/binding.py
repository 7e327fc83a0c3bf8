"""What binds an envelope's limits, as a control's reason: a part for each direction."""

from collections.abc import Mapping

LONGEST = 192
DIRECTION_OF = {
    "opModImpLimW": "import",
    "opModLoadLimW": "import",
    "opModExpLimW": "export",
    "opModGenLimW": "export",
}
"""The direction of a connection's power that a limit bounds."""
_BETWEEN, _OF = "; ", ": "


def said(binds: Mapping[str, str]) -> str:
    """What binds by direction, as one line: `import: capacity; export: over-voltage at node n12, phase b`."""
    parts = [f"{direction}{_OF}{what.replace(_BETWEEN, ', ')}" for direction, what in binds.items()]
    return _BETWEEN.join(parts)[:LONGEST]


def in_words(binds: str) -> str:
    """What binds, as a part of a sentence; empty where nothing is known."""
    if not binds:
        return ""
    return "all that can be reached; the network does not limit it" if binds == "capacity" else f"{binds} binds"


def of_direction(reason: str, direction: str) -> str:
    """What binds in one direction; empty where the reason does not say."""
    for part in reason.split(_BETWEEN):
        name, _, what = part.partition(_OF)
        if name == direction:
            return what
    return ""
