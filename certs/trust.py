"""Whom we trust: anchors with their strictness, the CAs between, and the peers already looked at."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509

from certs.check import Finding, is_self_signed, is_signed_by, read_der, tolerated
from certs.errors import BadCertificate, BadFile
from certs.identifiers import lfdi_of, sfdi_of
from certs.identity import pem, read_certificates
from certs.rules import is_for_tests
from certs.strictness import Strictness

_REMEMBERED_PEERS = 16_384


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

    @property
    def pem(self) -> str:
        """All certificates, for OpenSSL's store; those that are no root are no anchors there either."""
        return pem(*self._anchors, *self._between).decode()

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
        """The way from a leaf to an anchor, through what the peer sent and what we hold."""
        path = [read_der(sent[0])]
        pool = [read_der(der) for der in sent[1:]]
        while path[-1] not in self._anchors:
            issuer = next(self._issuers(path[-1], pool), None)
            if issuer is None or issuer in path:
                raise BadCertificate("it does not lead to a trusted root")
            path.append(issuer)
        return path

    def _issuers(self, certificate: x509.Certificate, pool: Iterable[x509.Certificate]) -> Iterator[x509.Certificate]:
        candidates = (*self._anchors, *self._between, *pool)
        return (candidate for candidate in candidates if is_signed_by(certificate, candidate))

    def _look_at(self, sent: Sequence[bytes], now: float) -> Peer:
        path = self.path(sent)
        findings = tolerated(path, self._anchors[path[-1]], now)
        if not self._tests and is_for_tests(path[0]):
            raise BadCertificate("it is for tests, and this is none")
        lfdi = lfdi_of(sent[0])
        return Peer(
            lfdi=lfdi,
            sfdi=sfdi_of(lfdi),
            anchor=path[-1].subject.rfc4514_string(),
            expires=min(certificate.not_valid_after_utc.timestamp() for certificate in path),
            findings=tuple(findings),
        )


def _read_all(files: Iterable[Path]) -> list[x509.Certificate]:
    return [certificate for file in files for certificate in read_certificates(file)]
