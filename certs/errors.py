"""What can be wrong with a certificate, a trust store or the TLS library."""

from typing import ClassVar

from sep2.errors import BadValue, Conflict, Forbidden, SepError


class BadCertificate(Forbidden):
    """This certificate is not accepted."""

    alert: ClassVar[int] = 42
    """The TLS alert that a handshake refused for it ends with (RFC 5246 7.2.2): bad_certificate."""


class UnknownIssuer(BadCertificate):
    """This certificate does not lead to a trusted root."""

    alert = 48  # unknown_ca


class BadIdentifier(BadValue):
    """This is not an LFDI, SFDI or PIN."""


class CertificateExpired(BadCertificate):
    """This certificate, or one that it leads through, has expired."""

    alert = 45  # certificate_expired


class BadFile(BadValue):
    """This file holds no usable certificate or key."""


class BadSigningRequest(BadValue):
    """This request can not be certified."""


class BadName(BadValue):
    """This can not be the name of an identity's files."""


class AlreadyThere(Conflict):
    """What is there already is not overwritten."""


class NoCcm8(SepError):
    """TLS here can not negotiate ECDHE-ECDSA-AES128-CCM8, which IEEE 2030.5 requires."""


class UnknownSuite(BadValue):
    """The TLS library here does not know this cipher suite."""
