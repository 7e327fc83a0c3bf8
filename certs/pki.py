"""A certificate hierarchy in a folder, for tests, demos and small deployments.

The names are always the same: `root` (SERCA), `ca` (the issuing CA, MICA), `server`, and one per client; each has a
`.pem` (the certificate and its issuers, without the root) and a `.key` that only its owner can read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from certs.authority import Authority
from certs.errors import AlreadyThere, BadFile, BadName
from certs.identity import Files, Identity
from certs.profile import PEN_FOR_DOCUMENTATION, Policy
from certs.trust import Trust
from sep2.errors import BadValue

LOCAL = ("localhost", "127.0.0.1", "::1")
RESERVED = frozenset({"root", "ca", "mca"})


@dataclass(frozen=True, slots=True)
class Pki:
    """The certificates of one folder."""

    folder: Path

    @property
    def trusted(self) -> tuple[Path, Path]:
        """The files a server trusts: the root, and the CA for clients that send only their own certificate."""
        return self.folder / "root.pem", self.folder / "ca.pem"

    @property
    def server(self) -> Files:
        """The server's certificate and key."""
        return Files.named(self.folder, "server")

    @property
    def issuer(self) -> Authority:
        """The CA that issues to devices, aggregators and servers."""
        return Authority.load(Files.named(self.folder, "ca"))

    def trust(self) -> Trust:
        """Trust in this hierarchy alone."""
        return Trust.read(self.trusted)

    def save(self, identity: Identity, name: str, *, replace: bool = False) -> Files:
        """Keep an issued identity under a name of its own."""
        return identity.save(self.folder, checked_name(name), replace=replace)


def checked_name(name: str) -> str:
    """The name of an identity's files; BadName where it is a CA's, or not the name of a file."""
    if name in RESERVED or not name or name != Path(name).name:
        raise BadName(repr(name))
    return name


def create(
    folder: Path,
    *,
    name: str = "Test",
    hosts: Sequence[str] = LOCAL,
    depth: int = 3,
    pen: int = PEN_FOR_DOCUMENTATION,
    purposes: Iterable[Policy] = (Policy.TEST,),
) -> Pki:
    """A new hierarchy with a server's certificate; a path in it has `depth` certificates: 2, 3 or 4."""
    pki = Pki(folder)
    if depth not in (2, 3, 4):
        raise BadValue(f"a path has 2, 3 or 4 certificates, not {depth} (2030.5 6.11)")
    if there := sorted(file.name for file in folder.glob("*.key")):
        raise AlreadyThere(f"{folder} holds {', '.join(there)}")
    root = Authority.create(f"{name} root")
    root.save(folder, "root")
    issuer = root
    if depth == 4:
        issuer = root.issue_authority(f"{name} manufacturer CA")
        issuer.save(folder, "mca")
    if depth >= 3:
        issuer = issuer.issue_authority(f"{name} issuing CA")
    issuer.save(folder, "ca")
    issuer.issue_server(hosts, pen=pen, purposes=purposes).save(folder, "server")
    return pki


def open_pki(folder: Path) -> Pki:
    """The hierarchy that `create` has put in a folder."""
    pki = Pki(folder)
    needed = dict.fromkeys((*pki.trusted, *Files.named(folder, "ca")))
    if missing := [str(file) for file in needed if not file.exists()]:
        raise BadFile(f"{folder} holds no certificates of `sep2 certs create`: {', '.join(missing)} is missing")
    return pki
