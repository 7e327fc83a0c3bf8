"""`sep2 certs`: make certificates for a trial, issue more of them, and read any."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certs.identifiers import new_pin, pin_with_check, spoken
from certs.kinds import Kind
from certs.strictness import Strictness
from sep2.terminal import add_row, console, say, say_json, shown

if TYPE_CHECKING:
    from certs.identity import Files, Identity
    from certs.inspect import Report
    from certs.pki import Pki
    from certs.profile import Policy

app = typer.Typer(
    help="Certificates of IEEE 2030.5: who is who on the wire.\n\n"
    "Client and server both show a certificate. The SHA-256 of a client's certificate gives its LFDI (the first 160 "
    "bits) and its SFDI (36 bits and a check digit, for people to read out); registering a device means telling the "
    "server this number. A new certificate is therefore a new device.\n\n"
    "A hierarchy has a root (SERCA), usually an issuing CA (MICA) under it, then devices, aggregators and servers.",
    no_args_is_help=True,
    add_completion=False,
)

Folder = Annotated[Path, typer.Argument(help="The folder of the certificates, e.g. DIR/pki of `sep2 init DIR`.")]
Serial = Annotated[str, typer.Argument(help="The serial number, as on the nameplate; any text.")]
Name = Annotated[str, typer.Option(help="Name of the two files, NAME.pem and NAME.key.  [default: the serial number]")]
Hosts = Annotated[list[str] | None, typer.Option("--host", help="A host name or address of the server; repeatable.")]
Pen = Annotated[int, typer.Option(help="The maker's IANA private enterprise number; 32473 is for documentation.")]
Production = Annotated[bool, typer.Option("--production", help="Leave out the mark that it is for tests only.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def create(
    folder: Folder,
    *,
    name: Annotated[str, typer.Option(help="What the root and the CAs are called.")] = "Test",
    host: Hosts = None,
    depth: Annotated[int, typer.Option(min=2, max=4, help="Certificates from device to root, both included.")] = 3,
    pen: Pen = 32473,
    production: Production = False,
    as_json: Json = False,
) -> None:
    """Make a root, an issuing CA and a server's certificate in a folder that has none yet.

    The keys of root and CA lie there too, readable by their owner only: right for a trial, not for a utility.
    """
    from certs import pki

    made = pki.create(folder, name=name, hosts=host or pki.LOCAL, depth=depth, pen=pen, purposes=_purposes(production))
    done = {"root": str(made.trusted[0]), "ca": str(made.trusted[1]), "server": str(made.server.chain)}
    _say(done, f"Clients trust {done['root']}. Next: sep2 certs device {folder} SERIAL", as_json=as_json)


@app.command()
def device(
    folder: Folder,
    serial: Serial,
    *,
    name: Name = "",
    pen: Pen = 32473,
    production: Production = False,
    as_json: Json = False,
) -> None:
    """Issue a certificate to a device: an inverter, a gateway, a meter."""
    issuer = _open(folder).issuer
    identity = issuer.issue_device(serial, pen=pen, purposes=_purposes(production))
    files = _open(folder).save(identity, name or serial)
    _issued(identity, files, f"sep2 device add {name or serial} --cert {files.chain}", as_json=as_json)


@app.command()
def aggregator(
    folder: Folder,
    serial: Serial,
    *,
    name: Name = "",
    pen: Pen = 32473,
    production: Production = False,
    as_json: Json = False,
) -> None:
    """Issue a certificate to an aggregator, which speaks for many devices over one connection.

    On the wire it is a device's certificate. The devices behind it need none: the aggregator names their LFDIs.
    """
    issuer = _open(folder).issuer
    identity = issuer.issue_aggregator(serial, pen=pen, purposes=_purposes(production))
    files = _open(folder).save(identity, name or serial)
    _issued(identity, files, f"sep2 aggregator add {name or serial} --cert {files.chain}", as_json=as_json)


@app.command()
def server(
    folder: Folder,
    *,
    host: Hosts = None,
    name: Annotated[str, typer.Option(help="Name of the two files, NAME.pem and NAME.key.")] = "server",
    pen: Pen = 32473,
    production: Production = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of the files that are there.")] = False,
    as_json: Json = False,
) -> None:
    """Issue a certificate to a server, with the host names and addresses under which clients reach it."""
    from certs import pki

    hosts = host or pki.LOCAL
    identity = _open(folder).issuer.issue_server(hosts, serial=name, pen=pen, purposes=_purposes(production))
    files = _open(folder).save(identity, name, replace=replace)
    _issued(identity, files, "kill -HUP, and the server that runs uses it", as_json=as_json)


@app.command()
def request(
    folder: Annotated[Path, typer.Argument(help="Where the private key stays.")],
    serial: Serial,
    *,
    host: Hosts = None,
    name: Name = "",
    pen: Pen = 32473,
    as_json: Json = False,
) -> None:
    """Make a private key and a request for its certificate, on the machine that will use them.

    The request, NAME.csr, goes to whoever holds the authority and runs `sep2 certs issue`. The key never leaves.
    """
    from certs.pki import checked_name
    from certs.requests import make_request

    made = make_request(folder, checked_name(name or serial), serial=serial, hosts=host or (), pen=pen)
    done = {"request": str(made.request), "key": str(made.key)}
    then = f"sep2 certs issue --request {made.request.name} --authority DIR, where the authority is"
    _say(done, f"Next: {then}", as_json=as_json)


@app.command()
def issue(
    *,
    request: Annotated[Path, typer.Option(help="The request, as `sep2 certs request` makes it; PEM or DER.")],
    authority: Annotated[Path, typer.Option(help="The folder of the authority, as `sep2 certs create` makes it.")],
    kind: Annotated[Kind, typer.Option("--as", help="Who it is for.")] = Kind.DEVICE,
    out: Annotated[Path | None, typer.Option(help="Where the certificate goes.  [default: beside the request]")] = None,
    production: Production = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of the file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Certify the key of a request: a certificate with its issuers, for the machine that made the request."""
    from certs.issuing import certify

    made = certify(_open(authority).issuer, request, kind, purposes=_purposes(production))
    file = made.save(out or request.with_suffix(".pem"), replace=replace)
    done = {"lfdi": made.lfdi, "sfdi": made.sfdi, "serial": made.serial, "certificate": str(file)}
    _say(done, f"SFDI to read out: {spoken(made.sfdi)}. Take {file} to where the key is.", as_json=as_json)


@app.command()
def show(
    files: Annotated[list[Path], typer.Argument(help="PEM or DER files of certificates.")],
    check: Annotated[
        Strictness | None, typer.Option(help="End with status 1 when a certificate would be refused.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain certificates: LFDI, SFDI, names, dates, and where they depart from the 2030.5 profile.

    A finding marked `refused` is never accepted.

    One marked `strict` is refused by a server whose check is strict, and tolerated by a lenient one.
    """
    from certs import inspect

    reports = [report for file in files for report in inspect.read(file)]
    if as_json:
        say_json(json.dumps([report.as_json() for report in reports], indent=2))
    else:
        for report in reports:
            _explain(report)
    if check and any(report.refused(check) for report in reports):
        raise typer.Exit(1)


@app.command()
def pin(
    digits: Annotated[int | None, typer.Argument(help="Five digits to complete; left out, they are random.")] = None,
    as_json: Json = False,
) -> None:
    """Make a registration PIN: five digits and the check digit by which typing errors show.

    The device reads its PIN from the server and compares it with the one typed in by its installer.
    """
    made = new_pin() if digits is None else pin_with_check(digits)
    say(json.dumps({"pin": made}) if as_json else f"{made:06d}")


def _open(folder: Path) -> "Pki":
    from certs.pki import open_pki

    return open_pki(folder)


def _purposes(production: bool) -> "tuple[Policy, ...]":
    from certs.profile import Policy

    return () if production else (Policy.TEST,)


def _issued(identity: "Identity", files: "Files", then: str, *, as_json: bool) -> None:
    done = {
        "lfdi": identity.lfdi,
        "sfdi": identity.sfdi,
        "certificate": str(files.chain),
        "key": str(files.key),
    }
    _say(done, f"SFDI to read out: {spoken(identity.sfdi)}. Next: {then}", as_json=as_json)


def _say(done: Mapping[str, object], last: str, *, as_json: bool) -> None:
    if as_json:
        say_json(json.dumps(done, indent=2))
        return
    for what, value in done.items():
        say(f"{what:12} {value}")
    say(last)


def _explain(report: "Report") -> None:
    from rich.table import Table
    from rich.text import Text

    title = Text(shown(f"{report.kind} {report.serial or report.subject}"))
    table = Table(show_header=False, title=title, title_justify="left")
    for what, value in _rows(report):
        add_row(table, what, value)
    for finding in report.findings:
        add_row(table, _WORDS[finding.gravity.name], finding.text)
    console().print(table)


_WORDS = {"GRAVE": "refused", "FORM": "strict", "NOTE": "note"}


def _rows(report: "Report") -> list[tuple[str, str]]:
    rows = [
        ("LFDI", report.lfdi),
        ("SFDI", f"{report.sfdi} ({spoken(report.sfdi)})"),
        ("subject", report.subject or "empty"),
        ("issuer", report.issuer),
        ("valid", f"{report.not_before} to {report.not_after}"),
        ("key, signature", f"{report.key}, {report.signature}"),
        ("product", report.product),
        ("serial", report.serial),
        ("hosts", ", ".join(report.hosts)),
        ("policies", ", ".join(report.policies)),
    ]
    return [(what, value) for what, value in rows if value]
