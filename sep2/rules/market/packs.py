"""Evidence packs: a zip of JSON files, a manifest with their digests, its Ed25519 signature and the certificate.

Same entries and same key give the same bytes: keys are sorted, times in the zip are fixed, Ed25519 is deterministic.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

FORMAT = "sep2-evidence-2"
FORMATS = ("sep2-evidence-1", FORMAT)
"""Those that are checked; in the first one settled intervals stood row by row, in one file."""
MANIFEST, SIGNATURE, CERTIFICATE = "manifest.json", "manifest.sig", "certificate.pem"
EPOCH = (1980, 1, 1, 0, 0, 0)
LARGEST = 1 << 30
"""Octets of a pack's contents, beyond which it is not read."""


class Signer(NamedTuple):
    """A key that is for evidence only, and its certificate."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate


class Pack(NamedTuple):
    """The bytes of a pack and the SHA-256 of its manifest."""

    octets: bytes
    manifest_sha256: str


class File(NamedTuple):
    """A file of a pack as it is, and how many rows stand in it."""

    octets: bytes
    rows: int


class Checked(NamedTuple):
    """What is wrong with a pack (nothing: it is whole and signed), what it says of itself, and who signed it."""

    problems: list[str]
    manifest: Mapping[str, Any]
    certificate_sha256: str


def canonical(said: Any) -> bytes:
    """JSON with sorted keys, UTF-8 and a line break at the end."""
    return (json.dumps(said, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def build(about: Mapping[str, Any], entries: Mapping[str, Any], signer: Signer) -> Pack:
    """The pack of some facts; entries: what each JSON file holds, by its path: a list of rows, an object, or a File."""
    made = {path: said if isinstance(said, File) else _file(said) for path, said in sorted(entries.items())}
    files = {path: one.octets for path, one in made.items()}
    listed = [
        {"path": path, "sha256": _sha256(one.octets), "bytes": len(one.octets), "rows": one.rows}
        for path, one in made.items()
    ]
    manifest = canonical({**about, "format": FORMAT, "entries": listed})
    signed = {
        MANIFEST: manifest,
        SIGNATURE: signer.key.sign(manifest),
        CERTIFICATE: signer.certificate.public_bytes(Encoding.PEM),
    }
    return Pack(_zipped({**signed, **files}), _sha256(manifest))


def verify(octets: bytes, trusted: bytes | None = None) -> Checked:
    """What is wrong with a pack. trusted: the certificate in PEM that it has to be signed by; None: its own."""
    problems: list[str] = []
    try:
        files = _unzipped(octets)
        manifest = json.loads(files[MANIFEST])
        certificate = x509.load_pem_x509_certificate(files[CERTIFICATE])
        listed = {one["path"]: one for one in manifest["entries"]}
    except KeyError as missing:
        return Checked([f"{missing.args[0]} is missing"], {}, "")
    except (ValueError, TypeError, zipfile.BadZipFile, EOFError, NotImplementedError) as wrong:
        return Checked([f"it is no evidence pack: {wrong}"], {}, "")
    except Exception as wrong:  # zlib.error has no common base with the others
        return Checked([f"it can not be unpacked: {type(wrong).__name__}: {wrong}"], {}, "")
    problems += _signature_problems(files, certificate, trusted)
    if manifest.get("format") not in FORMATS:
        problems.append(f"{MANIFEST}: its format is none of {', '.join(FORMATS)}")
    problems += [f"{path} is missing" for path in listed if path not in files]
    for path, content in files.items():
        if path in (MANIFEST, SIGNATURE, CERTIFICATE):
            continue
        if path not in listed:
            problems.append(f"{path} is not in the manifest")
        elif _sha256(content) != listed[path]["sha256"]:
            problems.append(f"{path} was changed")
    return Checked(problems, manifest, _sha256(certificate.public_bytes(Encoding.DER)))


def _signature_problems(files: Mapping[str, bytes], certificate: x509.Certificate, trusted: bytes | None) -> list[str]:
    found = []
    key = certificate.public_key()
    try:
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidSignature
        key.verify(files[SIGNATURE], files[MANIFEST])
    except InvalidSignature:
        found.append(f"{MANIFEST} was changed, or {SIGNATURE} is not by {CERTIFICATE}")
    if trusted is not None:
        try:
            expected = x509.load_pem_x509_certificate(trusted)
        except ValueError:
            return [*found, "the certificate to compare with can not be read"]
        if expected != certificate:
            found.append(f"{CERTIFICATE} is not the one that is trusted")
    return found


def _zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as pack:
        for path, octets in files.items():
            info = zipfile.ZipInfo(path, EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16
            pack.writestr(info, octets)
    return made.getvalue()


def _unzipped(octets: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(octets)) as pack:
        infos = pack.infolist()
        if sum(info.file_size for info in infos) > LARGEST:
            raise ValueError(f"its contents are larger than {LARGEST} octets")
        names = [info.filename for info in infos]
        if len(names) != len(set(names)):
            raise ValueError("a file is in it twice")
        found = {}
        for info in infos:
            try:
                found[info.filename] = pack.read(info)
            except zipfile.BadZipFile:
                # A changed octet is named for its file, as a changed digest is.
                found[info.filename] = b""
        return found


def _file(said: Any) -> File:
    return File(canonical(said), len(said) if isinstance(said, list) else 1)


def format_of(octets: bytes) -> str:
    """The format of a pack, as its manifest says."""
    with zipfile.ZipFile(io.BytesIO(octets)) as pack:
        said = json.loads(pack.read(MANIFEST))
    return str(said.get("format"))


def _sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()
