"""Whether the private key of a CA lies where a server serves: who takes over that machine could issue certificates."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from certs.check import is_authority
from certs.errors import BadFile
from certs.identity import read_certificates

MOST_FILES, MOST_OCTETS = 2000, 262_144
"""What is looked at in one folder: files, and octets of one file."""
_PRIVATE = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?-----END [A-Z0-9 ]*PRIVATE KEY-----", re.DOTALL)


def authority_keys(named: Iterable[Path]) -> list[Path]:
    """The files with a private key of a CA, among these files and those beside them.

    A key that is encrypted belongs to the CA whose certificate has the same file name.
    """
    files = sorted({file for name in named for file in (name, *_beside(name))})
    authorities = [(file, one) for file in files for one in _certificates(file) if is_authority(one)]
    public = {_octets(one.public_key()) for _, one in authorities}
    stems = {(file.parent, file.stem) for file, _ in authorities}
    return [file for file in files if _holds_one(file, public, stems)]


def _beside(file: Path) -> list[Path]:
    with suppress(OSError):
        return list(islice(file.parent.iterdir(), MOST_FILES))
    return []


def _content(file: Path) -> bytes:
    with suppress(OSError):
        if file.is_file() and file.stat().st_size <= MOST_OCTETS:
            return file.read_bytes()
    return b""


def _certificates(file: Path) -> list[x509.Certificate]:
    if file.suffix == ".key" or not _content(file):
        return []
    with suppress(BadFile):
        return read_certificates(file)
    return []


def _holds_one(file: Path, public: set[bytes], stems: set[tuple[Path, str]]) -> bool:
    return any(key in public if key else (file.parent, file.stem) in stems for key in _keys(file))


def _keys(file: Path) -> Iterator[bytes]:
    """The public half of each private key in a file; empty for one that is encrypted."""
    data = _content(file)
    for found in _PRIVATE.finditer(data):
        try:
            yield _octets(load_pem_private_key(found[0], password=None).public_key())
        except TypeError:  # it asks for a password
            yield b""
        except (ValueError, UnsupportedAlgorithm):
            continue
    if file.suffix in (".key", ".der", ".pk8"):
        with suppress(ValueError, TypeError, UnsupportedAlgorithm):
            yield _octets(load_der_private_key(data, password=None).public_key())


def _octets(key: object) -> bytes:
    octets: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return octets
