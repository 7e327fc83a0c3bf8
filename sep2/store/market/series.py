"""Series of numbers and names in one value of the database: compressed msgpack, the same bytes for the same values."""

import zlib
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def packed(value: Any) -> bytes:
    """The value as it is stored."""
    return zlib.compress(msgspec.msgpack.encode(value), 6)


def unpacked(stored: bytes, kind: type[T]) -> T:
    """The value of this type that was stored."""
    return msgspec.msgpack.decode(zlib.decompress(bytes(stored)), type=kind)
