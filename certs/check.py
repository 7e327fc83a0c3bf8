"""Our own look at a certificate path, on top of OpenSSL's: what 2030.5 (6.11) asks and TLS libraries do not check."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from certs.errors import BadCertificate
from certs.rules import EXPIRED, FORM, GRAVE, NOTE, Gravity, Told, departures, find
from certs.strictness import Strictness

LONGEST_PATH = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """A departure of one certificate from the profile; `depth` counts from the leaf, which is 0."""

    gravity: Gravity
    depth: int
    text: str

    @property
    def is_expiry(self) -> bool:
        """Whether it says that the certificate has expired."""
        return self.text.startswith(EXPIRED)

    def refuses(self, strictness: Strictness) -> bool:
        """Whether a certificate with this finding is turned away."""
        return self.gravity is GRAVE or (self.gravity is FORM and strictness is Strictness.STRICT)

    def __str__(self) -> str:
        return f"issuer {self.depth}: {self.text}" if self.depth else self.text


def check_chain(
    chain: Sequence[bytes], strictness: Strictness = Strictness.STRICT, *, now: float | None = None
) -> list[Finding]:
    """What is tolerated in a path of DER certificates from leaf to root; BadCertificate when something is not.

    `now` is the machine's time unless given: certificates do not live in the clock of a demo.
    """
    return tolerated([read_der(der) for der in chain], strictness, time.time() if now is None else now)


def tolerated(path: Sequence[x509.Certificate], strictness: Strictness, now: float) -> list[Finding]:
    """The findings of a path that is accepted; BadCertificate names those for which it is not."""
    found = path_findings(path, now)
    if refused := [str(finding) for finding in found if finding.refuses(strictness)]:
        raise BadCertificate("; ".join(refused))
    return found


def path_findings(path: Sequence[x509.Certificate], now: float) -> list[Finding]:
    """Every departure from the profile in a path from leaf to root."""
    told = [Finding(gravity, 0, text) for gravity, text in _ends(path)]
    for depth, certificate in enumerate(path):
        is_anchor = 0 < depth == len(path) - 1
        for gravity, text in departures(certificate, now, is_leaf=depth == 0):
            # An operator chose the anchor knowingly: its form does not count against those under it.
            told.append(Finding(NOTE if is_anchor and gravity is FORM else gravity, depth, text))
        told += [Finding(gravity, depth, text) for gravity, text in _link(path, depth)]
    return told


def certificate_findings(certificate: x509.Certificate, now: float) -> list[Finding]:
    """Every departure from the profile in one certificate on its own, a CA's or a leaf's."""
    told = departures(certificate, now, is_leaf=not is_authority(certificate))
    return [Finding(gravity, 0, text) for gravity, text in told]


def read_der(der: bytes) -> x509.Certificate:
    """The certificate; BadCertificate when these octets are none."""
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as problem:
        raise BadCertificate(f"it can not be read: {problem}") from None


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether the certificate says that it belongs to a CA."""
    try:
        basic = find(certificate.extensions, x509.BasicConstraints)
    except (ValueError, x509.DuplicateExtension):
        return False
    return basic is not None and basic.value.ca


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether the certificate's own key signed it."""
    return is_signed_by(certificate, certificate)


@lru_cache(maxsize=1024)
def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` issued `certificate`, by name and by signature; the answer for a pair never changes."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _ends(path: Sequence[x509.Certificate]) -> Told:
    if is_self_signed(path[0]):
        yield GRAVE, "it is signed by itself, not by a CA"
    elif not is_self_signed(path[-1]):
        yield GRAVE, "its path does not end in a root"
    if len(path) > LONGEST_PATH:
        yield FORM, f"its path has {len(path)} certificates, where 2030.5 knows {LONGEST_PATH} at most"


def _link(path: Sequence[x509.Certificate], depth: int) -> Told:
    """How a certificate hangs on the next one of its path."""
    if depth + 1 == len(path):
        return
    certificate, issuer = path[depth], path[depth + 1]
    if not is_signed_by(certificate, issuer):
        yield GRAVE, "the next certificate of its path did not sign it"
    try:
        named = find(certificate.extensions, x509.AuthorityKeyIdentifier)
        own = find(issuer.extensions, x509.SubjectKeyIdentifier)
        basic = find(issuer.extensions, x509.BasicConstraints)
    except (ValueError, x509.DuplicateExtension):
        return  # `departures` has said so already
    if named and own and named.value.key_identifier not in (None, own.value.digest):
        yield GRAVE, "its authorityKeyIdentifier is not its issuer's subjectKeyIdentifier"
    limit = basic.value.path_length if basic else None
    if limit is not None and limit < depth:
        yield GRAVE, f"its issuer's pathLenConstraint allows {limit} CAs in between, not {depth}"
