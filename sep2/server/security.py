"""Security events: who signed in, who was refused, whose role changed; to the log, and as RFC 5424 syslog."""

import logging
import logging.handlers
import os
import re
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sep2.settings import SettingsError

log = logging.getLogger("sep2.security")

APP = "sep2"
FACILITY = logging.handlers.SysLogHandler.LOG_AUTHPRIV
PEN = 32473
"""The enterprise number in the SD-ID (RFC 5424 7.2.2): the one for documentation, as this project has none."""
FAILURES = frozenset({"login_failed", "refused", "throttled", "audit_broken"})
_NAME = re.compile(r"[^!#-<>-\\^-~]")


def event(kind: str, **about: str) -> None:
    """Report a security event; failures are warnings."""
    said = " ".join(f"{name}={value!r}" for name, value in about.items())
    level = logging.WARNING if kind in FAILURES else logging.INFO
    log.log(level, "%s %s", kind, said, extra={"event": kind, "about": about})


class Rfc5424(logging.Formatter):
    """A record as the message of RFC 5424 after its PRI: one line, with the event's values as structured data."""

    def format(self, record: logging.LogRecord) -> str:
        """`1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD] MSG`."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        host = _NAME.sub("", socket.gethostname())[:255] or "-"
        kind = _NAME.sub("", str(getattr(record, "event", "")))[:32] or "-"
        about: dict[str, str] = getattr(record, "about", {})
        data = "".join(f' {_NAME.sub("", name)[:32]}="{_escaped(value)}"' for name, value in about.items())
        structured = f"[{APP}@{PEN}{data}]" if data else "-"
        return f"1 {at} {host} {APP} {os.getpid()} {kind} {structured} {kind}"


def _escaped(value: str) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in value)[:200]
    return re.sub(r'(["\\\]])', r"\\\1", text)


def handler(where: str) -> logging.Handler:
    """A handler that sends records to `udp://HOST:PORT` or `unix:/dev/log`."""
    parts = urlsplit(where)
    address: str | tuple[str, int]
    if parts.scheme == "unix" and parts.path:
        address = parts.path
    elif parts.scheme == "udp" and parts.hostname:
        address = parts.hostname, parts.port or 514
    else:
        raise SettingsError(f"operator.syslog is {where!r}, expected udp://HOST:PORT or unix:/PATH")
    try:
        made = logging.handlers.SysLogHandler(address, facility=FACILITY)
    except OSError as problem:
        raise SettingsError(f"operator.syslog is {where!r}, which can not be opened: {problem}") from None
    made.append_nul = False
    made.setFormatter(Rfc5424())
    return made
