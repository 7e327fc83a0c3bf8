"""Values without what may not be written down: passwords, PINs, tokens and secrets."""

from typing import Any

import msgspec

HIDDEN = frozenset({"password", "pin", "token", "secret", "link", "csrf", "measurements"})
"""Fields whose values never reach the audit log, in whatever they stand; what is measured must stay erasable."""
STANDS_FOR = "(hidden)"


def hidden(value: Any) -> Any:
    """The same as plain values for JSON, with what may not be written down replaced."""
    return _hidden(msgspec.json.decode(msgspec.json.encode(value)))


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: STANDS_FOR if name in HIDDEN and part not in (None, "") else _hidden(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_hidden(part) for part in value]
    return value
