"""hardwareModuleName (RFC 4108): which product a device certificate stands for, and its serial number."""

from typing import NamedTuple

from cryptography import x509

HARDWARE_MODULE_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
_SEQUENCE, _OID, _OCTETS = 0x30, 0x06, 0x04


class HardwareModule(NamedTuple):
    """A product, named by an OID under its maker's enterprise number, and the serial number of one unit."""

    product: str
    serial: bytes

    @property
    def serial_text(self) -> str:
        """The serial number as printed on the unit, or in hexadecimal when it is not text."""
        text = self.serial.decode("ascii", errors="replace")
        return text if text.isprintable() and text.isascii() else self.serial.hex().upper()

    def general_name(self) -> x509.OtherName:
        """The entry for a subjectAltName."""
        body = _tlv(_OID, _encode_oid(self.product)) + _tlv(_OCTETS, self.serial)
        return x509.OtherName(HARDWARE_MODULE_NAME, _tlv(_SEQUENCE, body))

    @classmethod
    def decode(cls, der: bytes) -> "HardwareModule":
        """The module named by the value of an otherName; a ValueError when it is something else."""
        body, rest = _open(_SEQUENCE, der)
        product, serial = _open(_OID, body)
        number, more = _open(_OCTETS, serial)
        if rest or more:
            raise ValueError("octets follow the hardwareModuleName")
        return cls(_decode_oid(product), number)


def _tlv(tag: int, body: bytes) -> bytes:
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _open(tag: int, der: bytes) -> tuple[bytes, bytes]:
    """The body of the first element, and what follows it."""
    if len(der) < 2 or der[0] != tag:
        raise ValueError("not a hardwareModuleName")
    start, length = 2, der[1]
    if length >= 0x80:
        start = 2 + length - 0x80
        length = int.from_bytes(der[2:start], "big")
    if len(der) < start + length:
        raise ValueError("the hardwareModuleName is cut short")
    return der[start : start + length], der[start + length :]


def _encode_oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    return b"".join(map(_base128, (first * 40 + second, *rest)))


def _base128(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(0x80 | number & 0x7F)
    return bytes(reversed(octets))


def _decode_oid(body: bytes) -> str:
    if not body or body[-1] & 0x80:
        raise ValueError("the hardwareModuleName names no product")
    numbers, number = [], 0
    for octet in body:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))
