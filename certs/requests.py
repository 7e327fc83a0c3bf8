"""Certificate signing requests: a key is made where it is used, and only the request leaves that machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.authority import host_name
from certs.errors import AlreadyThere, BadFile, BadSigningRequest
from certs.hardware import HardwareModule
from certs.identity import write
from certs.profile import PEN_FOR_DOCUMENTATION
from certs.rules import find, hardware_names


class RequestFiles(NamedTuple):
    """Where a request and its private key lie."""

    request: Path
    key: Path


class Requested(NamedTuple):
    """What a request asks to have certified: a key, the unit that holds it, and a server's host names."""

    key: ec.EllipticCurvePublicKey
    module: HardwareModule
    hosts: tuple[x509.GeneralName, ...]


def make_request(
    folder: Path, name: str, *, serial: str, hosts: Sequence[str] = (), pen: int = PEN_FOR_DOCUMENTATION
) -> RequestFiles:
    """Write a new private key, `name.key`, and the request that goes to the authority, `name.csr`."""
    files = RequestFiles(folder / f"{name}.csr", folder / f"{name}.key")
    if there := [str(file) for file in files if file.exists()]:
        raise AlreadyThere(", ".join(there))
    key = ec.generate_private_key(ec.SECP256R1())
    module = HardwareModule(f"1.3.6.1.4.1.{pen}.1", serial.encode()).general_name()
    names = x509.SubjectAlternativeName([module, *map(host_name, hosts)])
    draft = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(names, critical=True)
    folder.mkdir(parents=True, exist_ok=True)
    write(files.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    write(files.request, draft.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return files


def read_request(file: Path) -> Requested:
    """What a request in PEM or DER asks for; BadSigningRequest where no certificate of the profile can come of it."""
    request = _read(file)
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadSigningRequest(f"{file}: its key is none on P-256")
    if not request.is_signature_valid:
        raise BadSigningRequest(f"{file}: it is not signed with its own key")
    try:
        modules = [HardwareModule.decode(name.value) for name in hardware_names(request.extensions)]
        names = find(request.extensions, x509.SubjectAlternativeName)
    except (ValueError, x509.DuplicateExtension) as problem:
        raise BadSigningRequest(f"{file}: {problem}") from None
    if names is None or len(modules) != 1:
        raise BadSigningRequest(f"{file}: it names {len(modules)} hardware modules, not one")
    hosts = [name for name in names.value if isinstance(name, x509.DNSName | x509.IPAddress)]
    return Requested(key, modules[0], tuple(hosts))


def _read(file: Path) -> x509.CertificateSigningRequest:
    try:
        data = file.read_bytes()
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_csr(data)
        return x509.load_der_x509_csr(data)
    except (OSError, ValueError) as problem:
        raise BadFile(f"{file}: {problem}") from None
