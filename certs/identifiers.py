"""LFDI, SFDI and PIN: the numbers a device is known by (2030.5 6.3, 6.9)."""

import hashlib
import re
import secrets

from certs.errors import BadIdentifier

_LFDI = re.compile(r"[0-9A-Fa-f]{40}")


def lfdi_of(certificate_der: bytes) -> str:
    """The LFDI of a certificate, 40 upper-case digits: the first 160 bits of the SHA-256 of the whole DER."""
    return hashlib.sha256(certificate_der).hexdigest()[:40].upper()


def sfdi_of(lfdi: str) -> int:
    """The SFDI of an LFDI: its first 36 bits as a decimal number, and a check digit behind them."""
    if not _LFDI.fullmatch(lfdi):
        raise BadIdentifier(f"an LFDI has 40 hexadecimal digits, not {lfdi[:60]!r}")
    return with_check_digit(int(lfdi[:9], 16))


def with_check_digit(number: int) -> int:
    """The number with one digit appended that makes the sum of all digits a multiple of ten."""
    return number * 10 + -_digit_sum(number) % 10


def has_check_digit(number: int) -> bool:
    """Whether an SFDI or PIN ends in the right check digit."""
    return _digit_sum(number) % 10 == 0


def pin_with_check(digits: int) -> int:
    """The six-digit PIN that five digits make: 11111 gives 111115."""
    if not 0 <= digits <= 99999:
        raise BadIdentifier(f"a PIN is made of five digits, not {digits}")
    return with_check_digit(digits)


def new_pin() -> int:
    """A random PIN, check digit included."""
    return pin_with_check(secrets.randbelow(100_000))


def spoken(sfdi: int) -> str:
    """The SFDI as people read it to each other: 167-261-211-391."""
    digits = f"{sfdi:012d}"
    return "-".join(digits[at : at + 3] for at in range(0, 12, 3))


def _digit_sum(number: int) -> int:
    return sum(map(int, str(number)))
