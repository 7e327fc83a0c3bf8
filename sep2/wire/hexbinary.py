"""A hexBinary value: a number that remembers how many octets it was written with."""

from typing import Self

from sep2.wire.failures import WireError


class HexBinary(int):
    """A number and its octet length: compared by value, written as it was sent.

    Leading zero octets carry no meaning, yet clients compare `03` and `00000003` as text; a plain number would lose
    which of the two it was.
    """

    octets: int

    def __new__(cls, value: int | str, octets: int | None = None) -> Self:
        """Read upper or lower case digits, or take a number at `octets` (default: as few as it needs)."""
        if isinstance(value, str):
            raw = _octets_of(value)
            number, written = int.from_bytes(raw), len(raw)
        else:
            number = value
            written = value.octets if isinstance(value, HexBinary) else max(1, -(-value.bit_length() // 8))
        length = written if octets is None else octets
        if number < 0 or number.bit_length() > 8 * length:
            raise WireError(f"{value!r} does not fit {length} octets")
        self = super().__new__(cls, number)
        self.octets = length
        return self

    def __str__(self) -> str:
        return f"{int(self):0{2 * self.octets}X}" if self.octets else ""

    def __repr__(self) -> str:
        return f"HexBinary('{self}')"


def _octets_of(text: str) -> bytes:
    """The octets that an even number of hex digits spells."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise WireError(f"{text[:48]!r} is not an even number of hex digits") from None
    if 2 * len(raw) != len(text):
        raise WireError(f"{text[:48]!r} is not an even number of hex digits")
    return raw
