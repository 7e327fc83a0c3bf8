"""mRIDs that the server makes (2030.5 3.5): 24 digits of its own, then the PEN in zero-padded decimal."""

import hashlib
import secrets
import string

DOCUMENTATION_PEN = 32473


def is_lfdi(text: str) -> bool:
    """Whether the text is 40 hexadecimal digits."""
    return len(text) == 40 and all(digit in string.hexdigits for digit in text)


def new_mrid(pen: int) -> str:
    """A fresh mRID of 32 upper-case digits."""
    return f"{secrets.token_hex(12).upper()}{pen:08d}"


def derived_mrid(mrid: str, role: str) -> str:
    """The mRID of something that comes with `mrid` and is never stored, such as its ResponseSet."""
    return f"{hashlib.sha256(f'{mrid}/{role}'.encode()).hexdigest()[:24].upper()}{mrid[24:]}"


def companion_mrid(mrid: str, role: str) -> str:
    """The mRID of another view of what has this mRID, which is never stored; taken twice, it is the mRID again."""
    mask = int(hashlib.sha256(role.encode()).hexdigest()[:24], 16)
    return f"{int(mrid[:-8] or '0', 16) ^ mask:024X}{mrid[-8:]}"


def managed_lfdi(pen: int) -> str:
    """A fresh LFDI for a device that has no certificate; the last eight digits are the PEN of who manages it."""
    return f"{secrets.token_hex(16).upper()}{pen:08d}"


def sfdi_of(lfdi: str) -> int:
    """The SFDI of an LFDI: its first 36 bits in decimal and a check digit; the digit sum is a multiple of ten (6.3)."""
    left = int(lfdi[:9], 16)
    return left * 10 + -sum(map(int, str(left))) % 10


def is_pin(pin: int) -> bool:
    """Whether a number may be a Registration pIN: up to six digits whose sum is a multiple of ten (6.9)."""
    return 0 <= pin <= 999_999 and sum(map(int, str(pin))) % 10 == 0


def new_pin() -> int:
    """A fresh Registration pIN: five random digits and their check digit (6.9)."""
    left = secrets.randbelow(100_000)
    return left * 10 + -sum(map(int, str(left))) % 10
