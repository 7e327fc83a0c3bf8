"""Who a client is: the certificate or LFDI that a command is given, or one that is issued for trying out."""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from sep2.cli.verb import given
from sep2.settings import ProfileName

Cert = Annotated[Path | None, typer.Option(help="The client's certificate, PEM or DER; its LFDI is taken from it.")]
LfdiOption = Annotated[str | None, typer.Option(help="The LFDI, 40 hexadecimal digits, instead of a certificate.")]
Issue = Annotated[
    Path | None, typer.Option(help="Issue a certificate and key into this folder, e.g. DIR/pki. For trying out.")
]
Profile = Annotated[ProfileName | None, typer.Option(help="What it speaks.", show_default="the utility's")]

Pin = Annotated[
    int | None,
    typer.Option(
        help="The PIN it is registered with: up to six digits whose sum is a multiple of ten.",
        show_default="a random one",
    ),
]


class BadChoice(typer.BadParameter):
    """Options that do not go together."""


class Identity(NamedTuple):
    """Who a client is, and where its certificate lies if it was issued just now."""

    lfdi: str
    file: Path | None = None


def identity_of(name: str, kind: str, *, cert: Path | None, lfdi: str | None, issue: Path | None) -> Identity:
    """The identity that was given as a certificate or an LFDI, or that is issued now."""
    if sum(option is not None for option in (cert, lfdi, issue)) != 1:
        raise BadChoice("give one of --cert FILE, --lfdi LFDI and --issue DIR")
    if lfdi is not None:
        return Identity(lfdi)
    if cert is not None:
        from cryptography.hazmat.primitives.serialization import Encoding

        from certs import lfdi_of
        from certs.identity import read_certificates

        return Identity(lfdi_of(read_certificates(cert)[0].public_bytes(Encoding.DER)))
    assert issue is not None
    return _issued(name, kind, issue)


def _issued(name: str, kind: str, folder: Path) -> Identity:
    """A test identity of that name: the one in the folder, or a new one."""
    from certs.identity import Files
    from certs.identity import Identity as Certified
    from certs.pki import open_pki
    from certs.profile import Policy

    pki = open_pki(folder)
    file_name = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    files = Files.named(folder, file_name)
    if files.chain.exists():
        return Identity(Certified.load(files).lfdi, files.chain)
    issuer = pki.issuer
    issue = issuer.issue_aggregator if kind == "aggregator" else issuer.issue_device
    made = issue(name, purposes=(Policy.TEST,))
    if given.get().dry_run:
        return Identity(made.lfdi)
    return Identity(made.lfdi, pki.save(made, file_name).chain)


def lies_in(who: Identity) -> str:
    """Where the certificate lies, where it was issued."""
    return f" with {who.file}" if who.file else ""
