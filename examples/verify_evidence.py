"""Check an evidence pack with nothing of the server: python verify_evidence.py PACK.zip [CERTIFICATE.pem]

A pack is a zip of JSON files. `manifest.json` lists each with its SHA-256, `manifest.sig` is the Ed25519 signature of
the manifest's bytes, and `certificate.pem` holds the key that signed it. Needs `cryptography`.
"""

import hashlib
import json
import sys
import zipfile
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

OWN = {"manifest.json", "manifest.sig", "certificate.pem"}


def problems(path: str, trusted: str | None = None) -> list[str]:
    """What is wrong with the pack at a path; trusted: the path of the utility's certificate for evidence."""
    try:
        with zipfile.ZipFile(path) as pack:
            names = pack.namelist()
            files = {name: pack.read(name) for name in names}
    except (OSError, zipfile.BadZipFile) as wrong:
        return [str(wrong)]
    found = ["a file is in it twice"] if len(names) != len(files) else []
    if missing := OWN - files.keys():
        return [*found, f"missing: {', '.join(sorted(missing))}"]
    key = x509.load_pem_x509_certificate(files["certificate.pem"]).public_key()
    if not isinstance(key, Ed25519PublicKey):
        return [*found, "certificate.pem: not an Ed25519 key"]
    try:
        key.verify(files["manifest.sig"], files["manifest.json"])
    except InvalidSignature:
        found.append("manifest.json: its signature is not good")
    if trusted is not None:
        expected = x509.load_pem_x509_certificate(Path(trusted).read_bytes())
        if expected.public_key() != key:
            found.append("certificate.pem: not the one that is trusted")
    listed = {one["path"]: one["sha256"] for one in json.loads(files["manifest.json"])["entries"]}
    found += [f"{name}: missing" for name in listed.keys() - files.keys()]
    found += [f"{name}: not in the manifest" for name in files.keys() - OWN - listed.keys()]
    for name, sha256 in listed.items():
        if name in files and hashlib.sha256(files[name]).hexdigest() != sha256:
            found.append(f"{name}: it was changed")
    return found


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    wrong = problems(*sys.argv[1:])
    print("\n".join(wrong) or "good")
    sys.exit(1 if wrong else 0)
