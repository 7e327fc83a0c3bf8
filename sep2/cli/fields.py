"""Refusals of the operator API, in the words of the command line: fields are called by the options that set them."""

import re

OPTIONS = {
    "also": "--also",
    "anyway": "--anyway",
    "digest": "--digest",
    "connection_id": "--connection",
    "duration": "--for",
    "end": "--until",
    "firm_export_w": "--firm-export",
    "firm_import_w": "--firm-import",
    "holds_net_limit": "--no-net-limit",
    "limits.export_w": "--export",
    "limits.gen_w": "--generation",
    "limits.import_w": "--import",
    "limits.load_w": "--load",
    "export_w": "--export",
    "gen_w": "--generation",
    "import_w": "--import",
    "load_w": "--load",
    "note": "--note",
    "pIN": "--pin",
    "pin": "--pin",
    "primacy": "--primacy",
    "ramp_tms": "--ramp",
    "randomizeStart": "--randomize",
    "rampTms": "--ramp",
    "reason": "--reason",
    "spread": "--spread",
    "start": "--start",
}
"""Which option sets a field of the API, whatever the command."""
_NAMES = "|".join(re.escape(name) for name in sorted(OPTIONS, key=len, reverse=True))
_FIELD = re.compile(rf"(?:(?<=: )|(?<=\A))(?:controls\[\d+\]\.)?({_NAMES}):(?= )|`({_NAMES})`")
_ASKS_FOR = "The request does not say what this route asks for: "
"""Of a request that the API can not decode; the command line has written it, so what is wrong is a value."""


def in_options(message: str) -> str:
    """The same message, with options where it names fields at their places: before a colon, or quoted."""
    return _FIELD.sub(_option, message.removeprefix(_ASKS_FOR))


def _option(found: re.Match[str]) -> str:
    field, quoted = found.groups()
    return f"{OPTIONS[field]}:" if field else OPTIONS[quoted]
