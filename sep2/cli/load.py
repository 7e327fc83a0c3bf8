"""`sep2 load`: a load of clients on a server, and how long its answers took."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer

from certs import Files
from certs.pki import Pki
from sep2.cli.units import span
from sep2.client import load
from sep2.client.session import Session
from sep2.settings.reading import is_loopback
from sep2.terminal import say, say_json

app = typer.Typer(add_completion=False)
MOST_CLIENTS = 2000
MOST_S = 3600


class Quantiles(msgspec.Struct):
    """Times in milliseconds."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    most_ms: float


class Found(msgspec.Struct):
    """What a load found."""

    server: str
    clients: int
    polls: int
    """Resources that are read."""
    writes: int
    """Resources that are written."""
    asked_per_s: float
    answered_per_s: float
    sent: int
    answered: int
    failed: dict[str, int]
    connecting: Quantiles
    """From the start until a client had connected and found its resources; all clients at once."""
    answering: Quantiles
    """From the time at which a request was to be sent until it was answered."""


@app.command("load")
def run(
    server: Annotated[str, typer.Argument(help="The address of the server, e.g. https://localhost:8443.")],
    *,
    pki: Annotated[Path, typer.Option(help="A folder of certificates and keys, with root.pem and ca.pem: DIR/pki.")],
    client: Annotated[list[str], typer.Option(help="NAME of NAME.pem there, or a pattern: 'load-*'; repeatable.")],
    rate: Annotated[
        float, typer.Option(min=0.1, max=load.MOST_PER_S, help="Requests per second, of all clients.")
    ] = 10,
    lasting: Annotated[int, typer.Option("--for", parser=span, metavar="SPAN", help="How long.")] = "10s",  # type: ignore[assignment]  # parsed like what is typed
    writes: Annotated[float, typer.Option(min=0, max=1, help="The share of requests that write a DERStatus.")] = 0.5,
    connections: Annotated[int, typer.Option(min=1, max=64, help="Connections of each client, at most.")] = 8,
    host: Annotated[str | None, typer.Option(help="The server's host again, where it is not this machine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON, and nothing else.")] = False,
) -> None:
    """Put a load of clients on a server, and measure its answers.

    Clients connect all at once, find their resources by links, and read them and write DERStatus in turn. Requests are
    sent at the rate that is asked for, whether earlier ones are answered or not, and times count from when each was to
    be sent: a stall is seen in all that it delayed.

    [bold]sep2 client add load-1 --issue utility/pki --connection NMI-LOAD-1[/]

    [bold]sep2 load https://localhost:8443 --pki utility/pki --client 'load-*' --rate 50 --for 30s[/]

    What is written replaces the status of these devices: use clients made for it. The exit status is 1 if a request
    failed.
    """
    _check(server, host)
    pace = load.Pace(rate, lasting, writes)
    if not 1 <= lasting <= MOST_S or pace.requests > load.MOST_REQUESTS:
        raise typer.BadParameter(f"1s to {MOST_S}s, and {load.MOST_REQUESTS} requests in all", param_hint="--for")
    found = asyncio.run(_loaded(server, pki, _names(pki, client), pace, connections=connections))
    if as_json:
        say_json(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _tell(found)
    if found.failed:
        raise typer.Exit(1)


def _check(server: str, host: str | None) -> None:
    """Refuse an address that is not https, and one that leads elsewhere unless its host was said twice."""
    parts = urlsplit(server)
    if parts.scheme != "https" or not parts.hostname:
        raise typer.BadParameter(f"{server} is not https://HOST:PORT", param_hint="SERVER")
    if not is_loopback(parts.hostname) and host != parts.hostname:
        raise typer.BadParameter(
            f"{parts.hostname} is not this machine: a load could disturb others. If it is yours, add --host "
            f"{parts.hostname}",
            param_hint="SERVER",
        )


def _names(pki: Path, patterns: list[str]) -> list[str]:
    """The clients in a folder that match: those with a certificate and a key."""
    keys = {file.stem for pattern in patterns for file in pki.glob(f"{Path(pattern).name}.key")}
    names = sorted(name for name in keys - {"root", "ca", "server"} if Files.named(pki, name).chain.exists())
    if not 1 <= len(names) <= MOST_CLIENTS:
        raise typer.BadParameter(
            f"{len(names)} clients of that name with certificate and key in {pki}; 1 to {MOST_CLIENTS} can be used",
            param_hint="--client",
        )
    return names


async def _loaded(server: str, pki: Path, names: list[str], pace: load.Pace, *, connections: int) -> Found:
    trust = Pki(pki).trust()
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(Session(server, Files.named(pki, name), trust, connections=connections))
            for name in names
        ]
        began = time.perf_counter()
        ready = await asyncio.gather(*(_ready(session, began) for session in sessions))
        polls = [poll for one in ready for poll in one[0]]
        posts = [post for one in ready for post in one[1]]
        started = time.perf_counter()
        tally = await load.run(load.in_turn(polls, posts, pace), pace, _progress)
        took_s = time.perf_counter() - started
    return Found(
        server=server,
        clients=len(names),
        polls=len(polls),
        writes=len(posts),
        asked_per_s=pace.per_s,
        answered_per_s=round(len(tally.took_s) / took_s, 3),
        sent=tally.sent,
        answered=len(tally.took_s),
        failed=dict(tally.failed),
        connecting=_quantiles([one[2] for one in ready]),
        answering=_quantiles(tally.took_s),
    )


async def _ready(session: Session, began: float) -> tuple[list[load.Poll], list[load.Post], float]:
    polls, posts = await load.found_by(session)
    return polls, posts, time.perf_counter() - began


def _progress(tally: load.Tally) -> None:
    failed = sum(tally.failed.values())
    say(f"{tally.sent} sent, {len(tally.took_s)} answered, {tally.open} open, {failed} failed", err=True)


def _quantiles(took_s: list[float]) -> Quantiles:
    ordered = sorted(took_s)
    return Quantiles(*(round(1000 * load.quantile(ordered, share), 3) for share in (0.5, 0.9, 0.99, 1)))


def _tell(found: Found) -> None:
    for what, times in (("Connecting", found.connecting), ("Answers", found.answering)):
        say(
            f"{what}: half within {times.p50_ms:.1f} ms, 90 % {times.p90_ms:.1f} ms, 99 % {times.p99_ms:.1f} ms, "
            f"all {times.most_ms:.1f} ms."
        )
    if not found.writes:
        say("Nothing was written: these clients have no DER.")
    failed = ", ".join(f"{count} {cause}" for cause, count in found.failed.items()) or "none"
    say(
        f"{found.answered} of {found.sent} requests of {found.clients} clients were answered, "
        f"{found.answered_per_s:.1f}/s of {found.asked_per_s:g}/s; failed: {failed}."
    )
