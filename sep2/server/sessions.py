"""Sessions: the connections that are open, by client; so many in all, and so many of one client."""

import asyncio
import logging
import resource
from collections.abc import Iterator
from typing import Protocol

from sep2.settings import Limits

log = logging.getLogger("sep2.sessions")

OWN_FILES = 300
"""Files this process opens besides clients' sessions: database, log, operators, notifications, libraries."""
FEWEST = 16
TOLD_AGAIN_S = 60


class Session(Protocol):
    """One open connection of a client."""

    @property
    def idle(self) -> bool:
        """Whether nothing is asked on it, or being answered."""
        ...

    def force_close(self) -> None:
        """End it."""
        ...


class Sessions:
    """Who is connected, the one that asked longest ago first."""

    def __init__(self, limits: Limits, most: int) -> None:
        """`most`: sessions in all, which may be fewer than the limits name, see `room`."""
        self._most = most
        self._per_client = limits.sessions_per_client
        self._of: dict[str, dict[Session, None]] = {}
        self._told: dict[str, float] = {}
        self.open = 0

    def enter(self, session: Session, lfdi: str) -> bool:
        """Whether there is room for one more; of a client that has its share the one that is idle longest ends."""
        if self.open >= self._most:
            self._tell("", f"a connection was turned away: {self._most} are open")
            return False
        own = self._of.setdefault(lfdi, {})
        if len(own) >= self._per_client:
            self._tell(lfdi, f"{lfdi}: more than {self._per_client} connections, limits.sessions_per_client")
            idle = next((one for one in own if one.idle), None)
            if idle is None:
                return False
            self.leave(idle, lfdi)
            idle.force_close()
        self._of.setdefault(lfdi, {})[session] = None
        self.open += 1
        return True

    def asks(self, session: Session, lfdi: str) -> None:
        """Note that a session is in use."""
        own = self._of.get(lfdi, {})
        if session in own:
            del own[session]
            own[session] = None

    def leave(self, session: Session, lfdi: str) -> None:
        """Forget a session; one that never entered changes nothing."""
        own = self._of.get(lfdi, {})
        if session not in own:
            return
        del own[session]
        self.open -= 1
        if not own:
            del self._of[lfdi]

    def __iter__(self) -> Iterator[Session]:
        return (session for own in self._of.values() for session in own)

    def _tell(self, lfdi: str, said: str) -> None:
        """Log it, once a minute for each client: whoever reconnects all the time decides how often it happens."""
        now = asyncio.get_running_loop().time()
        if now < self._told.get(lfdi, now):
            return
        self._told = {name: until for name, until in self._told.items() if until > now}
        self._told[lfdi] = now + TOLD_AGAIN_S
        log.warning("%s", said)


def room(sessions: int) -> int:
    """How many sessions there can be where so many are wanted: each is an open file, and a process may have so many.

    The process's own bound is raised as far as the system lets it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sessions + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if raised > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return sessions
    found = max(FEWEST, soft - OWN_FILES)
    log.warning(
        "limits.sessions is %d, but this process may open %d files: %d sessions are let in; raise that (ulimit -n, or "
        "LimitNOFILE= of the unit) or lower the setting",
        sessions,
        soft,
        found,
    )
    return found
