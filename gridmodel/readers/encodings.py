"""Encodings of text files: UTF-8, or what a byte order mark says, such as UTF-16 as spreadsheets write it."""

from __future__ import annotations

import codecs
from io import BufferedReader, RawIOBase
from pathlib import Path

from gridmodel.errors import FileError

MARKS = {
    # The mark of UTF-32 begins with that of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
UTF_8 = "utf-8-sig"
BLOCK_BYTES = 1 << 20


def encoding_of(head: bytes) -> str:
    """The encoding that the first four bytes of a file say; UTF-8 where they say none."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), UTF_8)


def decoded(path: Path, content: bytes) -> str:
    """The text of a file; FileError by row and column where it is not text of its encoding."""
    encoding = encoding_of(content[:4])
    if encoding == UTF_8:
        refuse_zero_bytes(path, content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as wrong:
        if encoding != UTF_8:
            raise FileError(path, f"not {encoding.upper()} text, which its first bytes say: {wrong.reason}") from None
        raise not_utf_8(path, content, wrong.start) from None


def refuse_zero_bytes(path: Path, content: bytes) -> None:
    """Refuse what is no text, or text of two bytes a character whose mark is missing."""
    if (at := content.find(b"\0")) >= 0:
        row = content.count(b"\n", 0, at) + 1
        detail = "holds a zero byte, as UTF-16 without a byte order mark does: save it as UTF-8"
        raise FileError(path, detail, row=row)


def not_utf_8(path: Path, content: bytes, at: int) -> FileError:
    """The error to raise about the byte at this position, with the encoding in which it would be a letter."""
    row, column = content.count(b"\n", 0, at) + 1, at - content.rfind(b"\n", 0, at)
    byte = content[at : at + 1]
    meant = f"; as Windows-1252 column {column} is {byte.decode('cp1252', errors='replace')!r}: save it as UTF-8"
    return FileError(path, f"not UTF-8 text (byte {byte[0]:#04x}){meant}", row=row)


class _Recoded(RawIOBase):
    """The octets of a stream in another encoding, as UTF-8 without a mark."""

    def __init__(self, path: Path, content: BufferedReader, encoding: str) -> None:
        self._path, self._content, self._encoding = path, content, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._left = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._content.close()
        super().close()

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]  # a buffer of bytes is all that it gets
        while not self._left:
            block = self._content.read(BLOCK_BYTES)
            try:
                self._left = self._decoder.decode(block, final=not block).encode()
            except UnicodeError as wrong:
                name = self._encoding.upper()
                raise FileError(self._path, f"not {name} text, which its first bytes say: {wrong}") from None
            if not block and not self._left:
                return 0
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def as_utf_8(path: Path, content: BufferedReader) -> BufferedReader:
    """A stream at its begin, as UTF-8: itself, or recoded where its mark says another encoding."""
    encoding = encoding_of(content.peek(4)[:4])
    return content if encoding == UTF_8 else BufferedReader(_Recoded(path, content, encoding), BLOCK_BYTES)
