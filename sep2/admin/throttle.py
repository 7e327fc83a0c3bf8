"""Failed logins by address: after five in a minute the address waits, longer every time."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from sep2.operations.alarms import OPERATOR_LOGINS, clear_alarm, raise_alarm
from sep2.store.connection import Connection

AT_ONCE, IN_S = 5, 60
FIRST_WAIT_S, LONGEST_WAIT_S = 60, 3600
ALARM_AFTER, ALARM_IN_S, QUIET_S = 10, 600, 3600
MOST = 10_000
"""Addresses that are remembered; the one that was heard of longest ago makes room."""


@dataclass
class _Known:
    failures: list[float] = field(default_factory=list)
    """When logins failed or were held off, within the last ten minutes."""
    wait_s: int = FIRST_WAIT_S
    until: float = 0.0
    alarmed: bool = False


class Throttle:
    """What is known of the addresses that logins failed from."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self.failed = 0
        """Logins that failed since the start, for the metrics."""

    def wait_s(self, address: str) -> int:
        """How many seconds an address has to wait before it may try again; 0: it may now."""
        known = self._known.get(_network(address))
        return 0 if known is None else max(0, round(known.until - self.now() + 0.5))

    def note(self, address: str) -> None:
        """Note a login that failed, or one that came while its address had to wait."""
        self.failed += 1
        now, name = self.now(), _network(address)
        known = self._known.setdefault(name, _Known())
        self._known.move_to_end(name)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        known.failures = [*[at for at in known.failures if at > now - ALARM_IN_S][-ALARM_AFTER:], now]
        if known.until <= now and sum(at > now - IN_S for at in known.failures) >= AT_ONCE:
            known.until = now + known.wait_s
            known.wait_s = min(2 * known.wait_s, LONGEST_WAIT_S)

    @property
    def has_news(self) -> bool:
        """Whether an alarm is to be raised or cleared."""
        now = self.now()
        return any(_is_due(known) or _is_over(known, now) for known in self._known.values())

    async def tell(self, db: Connection, now: int) -> None:
        """Raise an alarm for addresses with many failures, and clear it after a quiet hour."""
        moment = self.now()
        for name, known in list(self._known.items()):
            if _is_due(known):
                detail = f"{ALARM_AFTER} logins of operators failed within {ALARM_IN_S // 60} minutes"
                await raise_alarm(db, OPERATOR_LOGINS, name, detail, now=now)
                known.alarmed = True
            if _is_over(known, moment):
                await clear_alarm(db, OPERATOR_LOGINS, name, now)
                del self._known[name]


def _is_due(known: _Known) -> bool:
    return not known.alarmed and len(known.failures) >= ALARM_AFTER


def _is_over(known: _Known, now: float) -> bool:
    return known.failures[-1] < now - QUIET_S


def _network(address: str) -> str:
    """The address, or of an IPv6 address its network: whoever has one of these has all of it."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
