"""`sep2 load`: a load of clients on a server, and how long its answers took."""

import asyncio
import resource
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any
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
MOST_CLIENTS = 20_000
OWN_FILES = 200
"""That this process opens beside its connections."""
MOST_S = 3600


class Quantiles(msgspec.Struct):
    """Times in milliseconds."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    most_ms: float


class OfKind(msgspec.Struct):
    """What came of the requests of one kind."""

    asked_per_s: float
    sent: int
    answered: int
    failed: dict[str, int]
    answering: Quantiles
    """From the time at which a request was to be sent until it was answered."""


class Found(msgspec.Struct):
    """What a load found."""

    server: str
    clients: int
    seconds: float
    stopped: bool
    """Whether somebody ended it before its time."""
    answered_per_s: float
    sent: int
    answered: int
    failed: dict[str, int]
    connecting: Quantiles
    """From the start until a client had connected and found its resources; all clients at once."""
    answering: Quantiles
    kinds: dict[str, OfKind]


def _rate(help_: str) -> Any:
    return typer.Option(min=0, max=load.MOST_PER_S, metavar="PER_S", help=help_)


@app.command("load")
def run(
    server: Annotated[str, typer.Argument(help="The address of the server, e.g. https://localhost:8443.")],
    *,
    pki: Annotated[Path, typer.Option(help="A folder of certificates and keys, with root.pem and ca.pem: DIR/pki.")],
    client: Annotated[list[str], typer.Option(help="NAME of NAME.pem there, or a pattern: 'load-*'; repeatable.")],
    lasting: Annotated[int, typer.Option("--for", parser=span, metavar="SPAN", help="How long.")] = "10s",  # type: ignore[assignment]  # parsed like what is typed
    polls: Annotated[float, _rate("Reads per second, of all clients.")] = 10,
    walks: Annotated[float, _rate("EndDeviceLists read to their end, per second.")] = 0,
    statuses: Annotated[float, _rate("DERStatus written per second.")] = 0,
    readings: Annotated[float, _rate("Readings posted per second.")] = 0,
    responses: Annotated[float, _rate("Responses to controls per second.")] = 0,
    subscriptions: Annotated[float, _rate("Subscriptions per second; needs --notify.")] = 0,
    reconnects: Annotated[float, _rate("New connections with a handshake per second.")] = 0,
    storm: Annotated[bool, typer.Option("--storm", help="Every client connects anew at once, in the middle.")] = False,
    notify: Annotated[str, typer.Option(help="Where notifications go, if any are subscribed to.", metavar="URI")] = "",
    connections: Annotated[int, typer.Option(min=1, max=64, help="Connections of each client, at most.")] = 8,
    host: Annotated[str | None, typer.Option(help="The server's host again, where it is not this machine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON, and nothing else.")] = False,
) -> None:
    """Put a load of clients on a server, and measure its answers.

    Clients connect all at once and find their resources by links. Requests of each kind are sent at the rate that is
    asked for, whether earlier ones are answered or not, and times count from when each was to be sent: a stall is seen
    in all that it delayed. Ctrl-C ends it, and what was measured so far is told.

    [bold]sep2 client add load-1 --issue utility/pki --connection NMI-LOAD-1[/]

    [bold]sep2 load https://localhost:8443 --pki utility/pki --client 'load-*' --polls 50 --statuses 20 --for 30s[/]

    What is written counts as these devices' own: use clients made for it. The exit status is 1 if a request failed.
    """
    _check(server, host)
    each = (polls, walks, statuses, readings, responses, subscriptions, reconnects)
    pace = load.Pace(dict(zip(load.Kind, each, strict=True)), lasting, storm)
    if not 1 <= lasting <= MOST_S or pace.requests > load.MOST_REQUESTS:
        raise typer.BadParameter(f"1s to {MOST_S}s, and {load.MOST_REQUESTS} requests in all", param_hint="--for")
    if subscriptions and not notify:
        raise typer.BadParameter("say where notifications go: --notify URI", param_hint="--subscriptions")
    found = asyncio.run(_loaded((server, notify), pki, _names(pki, client), pace, connections=connections))
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
    most = min(MOST_CLIENTS, _files() - OWN_FILES)
    if not 1 <= len(names) <= most:
        raise typer.BadParameter(
            f"{len(names)} clients of that name with certificate and key in {pki}; 1 to {most} can be used, as each "
            "takes a file of those that this process may open (ulimit -n)",
            param_hint="--client",
        )
    return names


def _files() -> int:
    """How many files this process may open, once that is as many as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else MOST_CLIENTS + OWN_FILES


async def _loaded(of: tuple[str, str], pki: Path, names: list[str], pace: load.Pace, *, connections: int) -> Found:
    """Load a server; of: its address, and where notifications go."""
    (server, notify), trust = of, Pki(pki).trust()
    wanted = [kind for kind, per_s in pace.per_s.items() if per_s]
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(_interrupted())
        sessions = [
            await stack.enter_async_context(Session(server, Files.named(pki, name), trust, connections=connections))
            for name in names
        ]
        began = time.perf_counter()
        ready = await asyncio.gather(*(_ready(load.Client(one, notify), wanted, began) for one in sessions))
        clients = [sends for sends, _ in ready]
        for kind in wanted:
            if not any(sends[kind] for sends in clients):
                say(f"Nothing to send of: {kind}, {load.MEANINGS[kind]}.", err=True)
        started = time.perf_counter()
        tally = await load.run(load.in_turn(clients, pace), _progress, stop)
        took_s = time.perf_counter() - started
    return Found(
        server=server,
        clients=len(names),
        seconds=round(took_s, 3),
        stopped=stop.is_set(),
        answered_per_s=round(len(tally.took_s) / took_s, 3),
        sent=tally.sent,
        answered=len(tally.took_s),
        failed=dict(tally.failed),
        connecting=_quantiles([at_s for _, at_s in ready]),
        answering=_quantiles(tally.took_s),
        kinds={kind: _of_kind(one, pace.per_s[kind]) for kind, one in sorted(tally.of.items())},
    )


@contextmanager
def _interrupted() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C sets, once; a second Ctrl-C ends the program."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stop.set()

    loop.add_signal_handler(signal.SIGINT, end)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _ready(client: load.Client, wanted: Iterable[load.Kind], began: float) -> tuple[load.Sends, float]:
    sends = await client.find(wanted)
    return sends, time.perf_counter() - began


def _progress(tally: load.Tally) -> None:
    failed = sum(tally.failed.values())
    say(f"{tally.sent} sent, {len(tally.took_s)} answered, {tally.open} open, {failed} failed", err=True)


def _of_kind(results: load.Results, asked_per_s: float) -> OfKind:
    answered = len(results.took_s)
    return OfKind(asked_per_s, results.sent, answered, dict(results.failed), _quantiles(results.took_s))


def _quantiles(took_s: list[float]) -> Quantiles:
    ordered = sorted(took_s)
    return Quantiles(*(round(1000 * load.quantile(ordered, share), 3) for share in (0.5, 0.9, 0.99, 1)))


def _tell(found: Found) -> None:
    say(f"Connecting, all at once: {_said(found.connecting)}.")
    for kind, one in found.kinds.items():
        say(f"{kind}: {one.answered} of {one.sent} answered; {_said(one.answering)}.")
    failed = ", ".join(f"{count} {cause}" for cause, count in found.failed.items()) or "none"
    ended = ", stopped" if found.stopped else ""
    say(
        f"{found.answered} of {found.sent} requests of {found.clients} clients were answered in {found.seconds:.1f} s"
        f"{ended}, {found.answered_per_s:.1f}/s; failed: {failed}."
    )


def _said(times: Quantiles) -> str:
    return (
        f"half within {times.p50_ms:.1f} ms, 90 % {times.p90_ms:.1f} ms, 99 % {times.p99_ms:.1f} ms, "
        f"all {times.most_ms:.1f} ms"
    )
