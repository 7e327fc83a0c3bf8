"""`sep2 init` and `sep2 serve`: a server's folder, and the server in it."""

import asyncio
import errno
import gc
import json
import logging
import secrets
import socket
import tomllib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from sep2.cli import process
from sep2.cli.private import database_file, make_private, tightened, write_private
from sep2.cli.show import show
from sep2.cli.supervised import tell_systemd
from sep2.cli.verb import given
from sep2.errors import Conflict, SepError
from sep2.extension import ExtensionError, load, resolve
from sep2.rules.identifiers import DOCUMENTATION_PEN
from sep2.rules.zones import of_machine
from sep2.settings import FILE, UTILITIES, Settings, parse, read, resolved
from sep2.terminal import log_to, say

if TYPE_CHECKING:
    from aiohttp import web

    from sep2.server.app import State
    from sep2.server.part import Part

log = logging.getLogger(__name__)
MOST_WORKERS = 64
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 — named, not bound


Worker = Callable[[Any], Coroutine[Any, Any, None]]


class FolderTaken(Conflict):
    """There is a server in that folder already."""


class NotServed(SepError):
    """The server can not start."""


class NotMigratable(Conflict):
    """A server is using this database."""


class Wanted(NamedTuple):
    """What the settings file of a new folder says."""

    host: str
    port: int
    operator_port: int
    database: str
    utility: str
    pen: int
    mode: str
    clock: str
    zone: str


Dir = Annotated[Path, typer.Argument(envvar="SEP2_DIR", help="The server's folder.", show_default="the current one")]


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    *,
    host: Annotated[str, typer.Option(help="Address that 2030.5 clients reach the server at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="SEP2_PORT", help="Port for 2030.5 clients.")] = 8443,
    name: Annotated[list[str] | None, typer.Option(help="Further host name of the server; repeatable.")] = None,
    operator_port: Annotated[
        int, typer.Option(envvar="SEP2_OPERATOR_PORT", help="Port of the operator API, on loopback.")
    ] = 8444,
    database: Annotated[str, typer.Option(help="sqlite:///FILE or postgresql://…")] = "sqlite:///sep2.db",
    utility: Annotated[str, typer.Option(help=f"Starting point: {' or '.join(UTILITIES)}.")] = "aus",
    pen: Annotated[int, typer.Option(help="The utility's IANA private enterprise number.")] = DOCUMENTATION_PEN,
    production: Annotated[bool, typer.Option("--production", help="Not for trying out: no test certificates.")] = False,
    clock: Annotated[str, typer.Option(help="system, or paced: it moves only when told.")] = "system",
    zone: Annotated[
        str | None, typer.Option(help="The utility's time zone, e.g. America/Chicago.", show_default="the machine's")
    ] = None,
) -> None:
    """Make a server's folder: settings, database, certificates and the operator's token.

    [bold]sep2 init utility[/]  for trying out, on this machine only

    [bold]sep2 init utility --utility csip --zone America/Chicago[/]  of a US utility

    [bold]sep2 init utility --host 0.0.0.0 --name der.example.com --database postgresql://sep2@db/sep2[/]
    """
    if (folder / FILE).exists():
        raise FolderTaken(f"{folder / FILE} exists. Start it: sep2 serve {folder}")
    mode = "production" if production else "test"
    local = of_machine() if zone is None else zone
    text = settings_text(Wanted(host, port, operator_port, database, utility, pen, mode, clock, local))
    settings = resolved(parse(tomllib.loads(text)), folder.resolve())
    if name and settings.tls.key.exists():
        raise typer.BadParameter(f"--name does nothing: {settings.tls.key} is there, with a certificate of its own")
    folder.mkdir(parents=True, exist_ok=True)
    request = _make_certificates(settings, folder / "pki", host_names(host, name or []))
    _make_token(settings.operator.token_file)
    asyncio.run(_make_database(settings))
    write_private(folder / FILE, text)
    then = f"Start it: sep2 serve {folder}"
    if request is not None:
        then = (
            f"Have {request} signed elsewhere: sep2 certs issue --as server --request {request.name} --authority DIR "
            f"--production. Put server.pem, root.pem and ca.pem beside it; then: sep2 serve {folder}"
        )
    show({"folder": str(folder), "request": None if request is None else str(request)}, f"{folder} is ready. {then}")


def make_parts(settings: Settings, folder: Path) -> None:
    """A new folder's certificates for trying out, token and database."""
    _make_certificates(settings, folder / "pki", host_names(settings.listen.host, []))
    _make_token(settings.operator.token_file)
    asyncio.run(_make_database(settings))


def settings_text(wanted: Wanted) -> str:
    """A settings file that says what is wanted, and where to read about the rest."""
    trying_out = "false" if wanted.mode == "production" else "true"
    only = (
        "here_only = true  # a copy to learn on sends nothing to another machine\n" if wanted.mode == "training" else ""
    )
    return f"""\
# Settings of a sep2 server. docs/operators.md names every field, its default and its bounds.

mode = {json.dumps(wanted.mode)}
pen = {wanted.pen}  # the utility's IANA private enterprise number; 32473 is for documentation
clock = {json.dumps(wanted.clock)}

[listen]  # 2030.5 clients
host = {json.dumps(wanted.host)}
port = {wanted.port}

[operator]  # this machine only
port = {wanted.operator_port}

[database]
url = {json.dumps(wanted.database)}

[receivers]  # of notifications
loopback = {trying_out}  # on this machine, for trying out
{only}
[utility]
name = {json.dumps(wanted.utility)}  # a starting point; fields set here differ from it
zone = {json.dumps(wanted.zone)}  # its time zone by name, e.g. "America/Chicago"; empty: UTC
"""


def host_names(host: str, more: Sequence[str]) -> list[str]:
    """The names in the server's certificate: this machine's where it listens on every address."""
    own = [socket.gethostname(), socket.getfqdn()] if host in ANY_ADDRESS else [host]
    return list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *own, *more]))


def _make_certificates(settings: Settings, folder: Path, hosts: list[str]) -> Path | None:
    """A hierarchy for trying out; in production a key and the request for its certificate, which is returned."""
    from certs import pki
    from certs.profile import Policy
    from certs.requests import make_request

    if settings.tls.key.exists():
        return None
    if settings.mode == "production":
        return make_request(folder, "server", serial="server", hosts=hosts, pen=settings.pen).request
    pki.create(folder, name="sep2", hosts=hosts, pen=settings.pen, purposes=(Policy.TEST,))
    return None


def _make_token(file: Path) -> None:
    from certs.identity import write

    if not file.exists():
        write(file, f"{secrets.token_urlsafe(32)}\n".encode(), mode=0o600)


async def _make_database(settings: Settings) -> None:
    from sep2.operations.identifiers import set_pen
    from sep2.store.opening import migrate, open_database

    make_private(database_file(settings))
    await migrate(settings.database.url)
    database = await open_database(settings.database.url)
    try:
        async with database.write() as db:
            await set_pen(db, settings.pen)
    finally:
        await database.close()


def migrate(folder: Dir = Path()) -> None:
    """Bring the database of a folder to this version of sep2, after an upgrade; the server must be stopped.

    [bold]sep2 migrate utility[/]
    """
    settings = read(folder)
    if (pid := process.serving(folder)) is not None:
        raise NotMigratable(f"stop process {pid}, or remove {folder / process.FILE} if that is something else")
    asyncio.run(_make_database(settings))
    say(f"The database of {folder} is that of this version. Start the server: sep2 serve {folder}")


def serve(
    folder: Dir = Path(),
    *,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_WORKERS, help="Processes that share the port for clients; needs PostgreSQL."),
    ] = None,
) -> None:
    """Run the server of a folder until it is told to stop (Ctrl-C).

    [bold]sep2 serve utility[/]

    [bold]sep2 serve utility --workers 4[/]  on a machine of four cores; kill -HUP replaces them one by one
    """
    given.set(given.get()._replace(folder=folder))
    settings = read(folder)
    if workers is not None:
        refuse_workers(settings)
    begin_log(settings)
    for line in tightened(folder, settings):
        log.warning(line)
    listen, operator = settings.listen, settings.operator
    scheme = "http" if operator.certificate is None else "https"
    said = (
        f"Serving {folder}{'' if workers is None else f' with {workers} workers'}: "
        f"2030.5 at https://{listen.host}:{listen.port}/dcap, "
        f"operators at {scheme}://{operator.host}:{operator.port}. Stop with Ctrl-C."
    )
    if settings.partner.port is not None:
        said += f" Market participants: https://{settings.partner.host}:{settings.partner.port}/market/v1."
    with process.noted(folder), _ports_explained(folder):
        if workers is None:
            serve_alone(folder, settings, said)
        else:
            from sep2.cli import crew

            crew.serve(folder, settings, workers, lambda: _say_ready(said))


def refuse_workers(settings: Settings) -> None:
    """NotServed where several processes can not serve."""
    if not settings.database.url.startswith("postgresql"):
        raise NotServed(
            "--workers needs PostgreSQL, on which several processes can write; SQLite is for one. Leave --workers out, "
            'or set url = "postgresql://USER@HOST/NAME" under [database], then: sep2 migrate'
        )
    if settings.clock != "system":
        raise NotServed(
            f'--workers needs clock = "system": a {settings.clock} clock would be moved in one process only'
        )
    if 0 in (settings.listen.port, settings.operator.port, settings.partner.port):
        raise NotServed("--workers needs ports that are named in the settings, not 0")


def begin_log(settings: Settings) -> None:
    """Have this process log as the settings say."""
    level = logging.getLevelNamesMapping()[settings.log.level.upper()]
    log_to(logging.StreamHandler(), level, as_json=settings.log.format == "json")
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _say_ready(said: str) -> None:
    say(said)
    tell_systemd("READY=1")


def serve_alone(folder: Path, settings: Settings, said: str) -> None:
    """Serve in this process until told to stop; said: once it answers."""
    gc.disable()  # until it serves: nothing that is imported is ever garbage, and looking for it takes a tenth
    _serve(folder, settings, said, None)


def serve_part(folder: Path, settings: Settings, part: "Part") -> None:
    """Serve as one of several workers until the parent says so; only the first answers operators."""
    gc.disable()  # see above
    from sep2.server.app import run

    if part.leads:
        _serve(folder, settings, "", part)
        return
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run(settings, part=part, folder=folder))


def _serve(folder: Path, settings: Settings, said: str, part: "Part | None") -> None:
    from sep2.admin.app import sign_in_link
    from sep2.desk.app import make
    from sep2.partner.app import make as partners
    from sep2.server.app import run

    made: list[web.Application] = []

    def operators(state: "State") -> "web.Application":
        made.append(make(state))
        return made[0]

    def ready(state: "State") -> None:
        if said:
            _say_ready(state.watch.shut_because() or said)
        if link := sign_in_link(made[0], state):
            say(f"The desk, once and within a minute: {link} (another: sep2 desk open)")

    apps = {"operator_app": operators, "partner_app": partners}
    served = run(settings, workers=workers(), ready=ready, part=part, folder=folder, **apps)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(served)


@contextmanager
def _ports_explained(folder: Path) -> Iterator[None]:
    """NotServed where a port is taken."""
    try:
        yield
    except OSError as wrong:
        if wrong.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        raise NotServed(f"{wrong}. Is another server running? The ports are in {folder / FILE}") from wrong


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it installs; None is Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def workers() -> list[Worker]:
    """The background work of the extensions, and of this process beside the server's own."""
    from sep2.server import replay

    return [
        replay.play,
        _prepare_desk,
        *(worker(extension.name, home) for extension in load() for home in extension.workers),
    ]


async def _prepare_desk(state: Any) -> None:
    """Have the desk's pages ready before somebody looks."""
    from sep2.desk.render import compile_all

    await asyncio.to_thread(compile_all, state)
    await asyncio.get_running_loop().create_future()  # until it is cancelled


def worker(name: str, home: str) -> Worker:
    """One extension's work, imported beside the serving: an engine takes seconds, and clients wait for none of it."""

    async def run(state: Any) -> None:
        state.reached[home] = -1  # the server has not settled before its workers have begun
        try:
            work = await asyncio.to_thread(resolve, home)
        except ExtensionError as wrong:
            # What it needs is an extra that was not asked for: nothing is wrong with that.
            missing = wrong.__cause__.name if isinstance(wrong.__cause__, ModuleNotFoundError) else home
            level = logging.WARNING if _top(missing or home) == _top(home) else logging.INFO
            log.log(level, "extension %s works without %s", name, wrong.detail)
            state.workers.missing(home, wrong.detail)
            work = None
        del state.reached[home]
        if work is not None:
            await work(state)

    run.__module__ = home.partition(":")[0]  # whose work it is, where it fails
    return run


def _top(module: str) -> str:
    return module.replace(":", ".").partition(".")[0]
