"""TLS handshakes: a client that is refused is told by an alert, and the operators by one line of the log.

Our own look at the certificate comes before the server's last flight is sent, so that a refusal is an alert as well.
"""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, cast

from certs.errors import BadCertificate, CertificateExpired
from certs.opening import ALERTS, Opening, alert_in, fatal_alert, read_opening
from sep2.server.secured import Buffers, Secured
from sep2.server.tls import Tls

log = logging.getLogger("sep2.handshake")

LINGER_S = 1
"""How long a refused connection stays half open, so that its peer sees the alert before the end."""
MOST_OCTETS = 131_072
"""Of a client in its handshake. OpenSSL takes chains of certificates up to 100 KiB."""

NOT_ACCEPTED = "certificate not accepted"
EXPIRED = "certificate has expired"
NO_CURVE = "no common curve or signature algorithm"
"""With a cipher suite that both have; OpenSSL says of this too that no cipher is shared."""
NO_PATH = frozenset({2, 20, 21})
"""OpenSSL's numbers for a certificate whose issuer it did not find."""
REASONS = {
    "HTTP_REQUEST": "not TLS",
    "HTTPS_PROXY_REQUEST": "not TLS",
    "NO_SHARED_CIPHER": "no common cipher suite",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no client certificate",
    "UNSUPPORTED_PROTOCOL": "not TLS 1.2",
    "WRONG_VERSION_NUMBER": "not TLS",
}
"""What OpenSSL calls it, in words."""


class Refusal(NamedTuple):
    """A handshake that failed."""

    address: str
    reason: str
    """One of a few, as alarms count them."""
    detail: str = ""
    alert: int | None = None
    opening: Opening = Opening()

    def __str__(self) -> str:
        who, alert = self.opening.holder, self.alert
        told = "" if alert is None else f" (alert {alert} {ALERTS.get(alert, '')})"
        parts = [f"{self.address}: {self.reason}{': ' if self.detail else ''}{self.detail}{told}"]
        if who.lfdi:
            parts.append(f"subject {who.subject or 'empty'}, serial {who.serial or 'unreadable'}, LFDI {who.lfdi}")
            parts.append(f"issuer {who.issuer or 'unreadable'}")
        if self.opening.suites:
            parts.append(f"offered {self.opening.version} with {', '.join(self.opening.suites)}")
        return "; ".join(parts)


class HalfOpen:
    """How many connections are in their handshake, in all and of each address; more than so many are turned away.

    Whoever opens connections and says nothing could otherwise hold all the files that the process may open.
    """

    def __init__(self, most: int = 2000, per_address: int = 500) -> None:
        self._most, self._per_address = most, per_address
        self._of = Counter[str]()
        self._all = 0

    def enter(self, address: str) -> str:
        """Nothing if there is room for one more of an address, or why there is none."""
        if self._of[address] >= self._per_address:
            return f"{self._per_address} of this address are not done, limits.handshakes_per_address"
        if self._all >= self._most:
            return f"{self._most} are not done, limits.handshakes"
        self._of[address] += 1
        self._all += 1
        return ""

    def leave(self, address: str) -> None:
        """One of an address is done, or was refused."""
        self._all -= 1
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]


class Door:
    """What accepts the connections of clients: a handshake each, then a protocol of `serve`."""

    def __init__(
        self,
        serve: Callable[[], asyncio.Protocol],
        tls: Tls,
        *,
        patience_s: float = 10,
        half_open: HalfOpen | None = None,
        refused: Callable[[Refusal], bool] = lambda _: True,
    ) -> None:
        """A handshake may take `patience_s`; `refused` hears of each that failed, and says whether it is logged."""
        self.serve = serve
        self.tls = tls
        self.refused = refused
        self.patience_s = patience_s
        self.half_open = half_open or HalfOpen()
        self.open: set[asyncio.Transport] = set()

    def __call__(self) -> asyncio.Protocol:
        """A protocol for one new connection."""
        return Handshake(self)

    def close(self) -> None:
        """End every connection, also those that are in their handshake."""
        for transport in list(self.open):
            transport.abort()


class Handshake(asyncio.Protocol):
    """A connection until its handshake is done."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._said = bytearray()
        self._over = False
        self._address, self._is_counted = "unknown", False
        self._raw: asyncio.Transport
        self._buffers: Buffers
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client to begin."""
        self._raw = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._door.open.add(self._raw)
        peer = self._raw.get_extra_info("peername")
        self._address = peer[0] if peer else "unknown"
        full = self._door.half_open.enter(self._address)
        self._is_counted = not full
        if full:
            self._over = True
            self._tell("too many handshakes at once", full)
            self._raw.abort()
            return
        self._buffers = Buffers(self._door.tls.listening)
        self._timer = asyncio.get_running_loop().call_later(self._door.patience_s, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake as far as it has come."""
        if self._over:
            return
        self._said += data
        if len(self._said) > MOST_OCTETS:
            self._refuse(f"more than {MOST_OCTETS} octets")
        else:
            self._buffers.incoming.write(data)
            self._go_on(self._buffers.tls)

    def _go_on(self, tls: ssl.SSLObject) -> None:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            # Who resumes a session shows no certificate: the one it once showed is looked at before the answer.
            if not tls.session_reused or self._is_admitted():
                self._flush()
        except ssl.SSLCertVerificationError as problem:
            self._explain(problem)
        except ssl.SSLError as problem:
            reason, detail = _said_of(problem)
            shares_suite = problem.reason == "NO_SHARED_CIPHER" and self._shares_suite()
            self._refuse(NO_CURVE if shares_suite else reason, detail)
        else:
            if self._is_admitted():
                self._hand_over()

    def _shares_suite(self) -> bool:
        """Whether the client offers a cipher suite that this server has."""
        ours = {cipher["name"].replace("-", "_") for cipher in self._door.tls.listening.get_ciphers()}
        return not ours.isdisjoint(read_opening(bytes(self._said)).suites)

    def eof_received(self) -> None:
        """The client hung up."""
        if self._said and not self._over:
            self._refuse("the client hung up")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._leave()
        self._door.open.discard(self._raw)
        if self._said and not self._over:
            self._over = True
            self._tell("the client hung up")

    def _explain(self, problem: ssl.SSLCertVerificationError) -> None:
        """Refuse by what OpenSSL found, or by what ends the path that it did not find."""
        if problem.verify_code in NO_PATH:
            try:
                self._door.tls.trust.admit(read_opening(bytes(self._said)).chain)
            except CertificateExpired as bad:
                return self._turn_away(EXPIRED, bad)
            except BadCertificate:
                pass
        return self._refuse(problem.verify_message)

    def _is_admitted(self) -> bool:
        """Our own look at the client's certificate; nothing of the server's last flight has been sent yet."""
        try:
            self._door.tls.admit(self._buffers.tls)
        except BadCertificate as bad:
            self._turn_away(NOT_ACCEPTED, bad)
            return False
        return True

    def _turn_away(self, reason: str, bad: BadCertificate) -> None:
        """Refuse by an alert of our own in place of what OpenSSL would say, while nothing is encrypted yet."""
        self._buffers.outgoing.read()
        self._buffers.outgoing.write(fatal_alert(bad.alert))
        self._refuse(reason, bad.detail or str(bad))

    def _hand_over(self) -> None:
        self._over = True
        self._stop_waiting()
        self._leave()
        self._said.clear()
        self._flush()
        Connection(self._raw, self._buffers, self._door).start()

    def _refuse(self, reason: str, detail: str = "") -> None:
        """Tell the client by the alert that waits, if one does, and the operators by a line of the log."""
        self._over = True
        self._stop_waiting()
        answer = self._buffers.outgoing.read()
        self._raw.write(answer)
        self._tell(reason, detail, alert_in(answer))
        self._said.clear()
        if self._raw.can_write_eof():
            self._raw.write_eof()
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._raw.abort)

    def _tell(self, reason: str, detail: str = "", alert: int | None = None) -> None:
        refusal = Refusal(self._address, reason, detail, alert, read_opening(bytes(self._said)))
        if self._door.refused(refusal):
            log.warning("handshake refused: %s", refusal)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self) -> None:
        """It is in its handshake no more."""
        if self._is_counted:
            self._is_counted = False
            self._door.half_open.leave(self._address)

    def _give_up(self) -> None:
        self._refuse(f"not done within {self._door.patience_s} s")

    def _flush(self) -> None:
        if self._buffers.outgoing.pending:
            self._raw.write(self._buffers.outgoing.read())


class Connection(Secured):
    """A connection after its handshake, until it is lost."""

    __slots__ = ("_door",)

    def __init__(self, raw: asyncio.Transport, buffers: Buffers, door: Door) -> None:
        super().__init__(raw, buffers, door.serve())
        self._door = door

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._door.open.discard(self._raw)
        super().connection_lost(exc)


def _said_of(problem: ssl.SSLError) -> tuple[str, str]:
    """The reason why OpenSSL gave up, and what more there is to say."""
    reason = problem.reason or "not TLS"
    _, is_alert, alert = reason.partition("_ALERT_")
    if is_alert:
        return "the client ended it", alert.lower().replace("_", " ")
    return REASONS.get(reason, reason.lower().replace("_", " ")), ""
