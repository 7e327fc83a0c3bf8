"""Whom we trust: anchors with their strictness, the CAs between, and the peers already looked at."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509

from certs.check import Finding, is_self_signed, is_signed_by, path_findings, read_der
from certs.errors import BadCertificate, BadFile, CertificateExpired, UnknownIssuer
from certs.identifiers import lfdi_of, sfdi_of
from certs.identity import pem, read_certificates
from certs.inspect import serial_of
from certs.rules import is_for_tests
from certs.strictness import Strictness

_REMEMBERED_PEERS = 16_384
_MOST_SENT = 10
"""Certificates of a peer that are looked at; a path of 2030.5 has four."""
_LONGEST_PATH = 8
_MOST_STEPS = 256
"""Certificates tried in the search for paths: a peer may send CAs that sign each other in every combination."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, proven by its certificate."""

    lfdi: str
    sfdi: int
    anchor: str
    """The subject of the root it was accepted under."""
    expires: float
    findings: tuple[Finding, ...]
    """What was tolerated."""
    subject: str = ""
    serial: str = ""
    """Of the hardware module, or of the certificate where it names none."""


class Trust:
    """The anchors under which certificates are accepted; replace it whole to change it."""

    def __init__(
        self,
        strict: Iterable[x509.Certificate] = (),
        lenient: Iterable[x509.Certificate] = (),
        *,
        tests: bool = True,
    ) -> None:
        """Self-signed certificates become anchors, others complete the paths of clients that send only their leaf.

        `tests` says whether certificates that are marked for tests are accepted.
        """
        self._tests = tests
        given = [(certificate, Strictness.STRICT) for certificate in strict]
        given += [(certificate, Strictness.LENIENT) for certificate in lenient]
        self._anchors = {certificate: how for certificate, how in given if is_self_signed(certificate)}
        self._between = [certificate for certificate, _ in given if certificate not in self._anchors]
        self._peers: OrderedDict[bytes, Peer] = OrderedDict()
        if not self._anchors:
            raise BadFile("there is no root among the trusted certificates")

    @classmethod
    def read(cls, strict: Iterable[Path] = (), lenient: Iterable[Path] = (), *, tests: bool = True) -> Self:
        """The trust that these files of certificates give."""
        return cls(_read_all(strict), _read_all(lenient), tests=tests)

    def pem_at(self, now: float) -> str:
        """The certificates for OpenSSL's store: what leads to a valid root at `now`, then other CAs that are valid.

        OpenSSL takes one issuer by its name and tries no other, so one that has expired must not stand there beside
        its successor, nor hide the one that a client sends. Roots that have no successor stay.
        """
        usable = self._usable(now)
        names = {certificate.subject for certificate in usable}
        others = [one for one in (*self._anchors, *self._between) if one not in usable and one.subject not in names]
        return pem(*usable, *(one for one in others if one in self._anchors or _is_valid(one, now))).decode()

    def next_change(self, now: float) -> float:
        """When, after `now`, the first certificate becomes valid or ends: `pem_at` is another from then on."""
        ends = [end for certificate in (*self._anchors, *self._between) for end in _validity(certificate)]
        return min((end for end in ends if end > now), default=float("inf"))

    def _usable(self, now: float) -> list[x509.Certificate]:
        """The valid anchors and the valid CAs that lead to one through valid ones, the latest first."""
        usable = [certificate for certificate in self._anchors if _is_valid(certificate, now)]
        waiting = [certificate for certificate in self._between if _is_valid(certificate, now)]
        while found := [one for one in waiting if any(is_signed_by(one, issuer) for issuer in usable)]:
            usable += found
            waiting = [one for one in waiting if one not in found]
        return sorted(usable, key=lambda certificate: certificate.not_valid_before_utc, reverse=True)

    def admit(self, sent: Sequence[bytes], *, now: float | None = None) -> Peer:
        """The peer that proved its leaf certificate in a handshake (DER, leaf first); BadCertificate otherwise."""
        if not sent:
            raise BadCertificate("the peer showed none")
        at = time.time() if now is None else now
        known = self._peers.get(sent[0])
        if known is None or known.expires < at:
            known = self._look_at(sent, at)
            self._peers[sent[0]] = known
            if len(self._peers) > _REMEMBERED_PEERS:
                self._peers.popitem(last=False)
        return known

    def path(self, sent: Sequence[bytes]) -> list[x509.Certificate]:
        """A way from a leaf to an anchor, through what the peer sent and what we hold."""
        return next(self.paths(sent))

    def paths(self, sent: Sequence[bytes]) -> Iterator[list[x509.Certificate]]:
        """Every way from a leaf to an anchor; UnknownIssuer where there is none."""
        leaf, *pool = (read_der(der) for der in sent[:_MOST_SENT])
        candidates = dict.fromkeys((*self._anchors, *self._between, *pool))
        waiting, steps, found = [[leaf]], 0, False
        while waiting and steps < _MOST_STEPS:
            steps += 1
            path = waiting.pop()
            if path[-1] in self._anchors:
                found = True
                yield path
            elif len(path) < _LONGEST_PATH:
                issuers = [one for one in candidates if one not in path and is_signed_by(path[-1], one)]
                waiting += [[*path, issuer] for issuer in reversed(issuers)]
        if not found:
            raise UnknownIssuer

    def _look_at(self, sent: Sequence[bytes], now: float) -> Peer:
        """The peer by the path that holds longest; BadCertificate says what is wrong with the one nearest to it."""
        best: Peer | None = None
        least: list[Finding] = []
        for path in self.paths(sent):
            findings = path_findings(path, now)
            refused = [finding for finding in findings if finding.refuses(self._anchors[path[-1]])]
            if not refused:
                peer = _peer(path, sent[0], findings)
                best = peer if best is None or peer.expires > best.expires else best
            elif not least or len(refused) < len(least):
                least = refused
        if best is None:
            kind = CertificateExpired if all(finding.is_expiry for finding in least) else BadCertificate
            raise kind("; ".join(map(str, least)))
        if not self._tests and is_for_tests(read_der(sent[0])):
            raise BadCertificate("it is for tests, and this is none")
        return best


def _peer(path: Sequence[x509.Certificate], der: bytes, findings: Iterable[Finding]) -> Peer:
    lfdi = lfdi_of(der)
    return Peer(
        lfdi=lfdi,
        sfdi=sfdi_of(lfdi),
        anchor=path[-1].subject.rfc4514_string(),
        expires=min(certificate.not_valid_after_utc.timestamp() for certificate in path),
        findings=tuple(findings),
        subject=path[0].subject.rfc4514_string(),
        serial=serial_of(path[0]),
    )


def _validity(certificate: x509.Certificate) -> tuple[float, float]:
    return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()


def _is_valid(certificate: x509.Certificate, now: float) -> bool:
    start, end = _validity(certificate)
    return start <= now <= end


def _read_all(files: Iterable[Path]) -> list[x509.Certificate]:
    return [certificate for file in files for certificate in read_certificates(file)]
