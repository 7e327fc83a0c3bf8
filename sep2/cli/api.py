"""The operator API, as commands call it: one request, its answer in the type the API declares."""

import getpass
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, TypeVar, get_origin
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import msgspec

from sep2.cli import process
from sep2.cli.fields import in_options
from sep2.cli.units import ZONE, shown_time
from sep2.cli.verb import given
from sep2.errors import SepError
from sep2.rest.types import MOST_ITEMS, FaultSaid, Listed, Waiting
from sep2.rules.market.faults import Fault
from sep2.settings import Settings, read, read_token

T = TypeVar("T")

HINTS = {
    "unknown_client": "`sep2 client list` shows them",
    "unknown_device": "`sep2 device list` shows them",
    "unknown_group": "`sep2 group list` shows them",
    "unknown_connection": "`sep2 connection list` shows them",
    "unknown_control": "`sep2 control list --over` shows them all",
    "unknown_curve": "`sep2 curve list` shows them",
    "curve_in_use": "a default is replaced by `sep2 default set`; a control has to end",
    "unknown_alarm": "`sep2 alarm list` shows them",
    "unknown_override": "`sep2 override list --over` shows them all",
    "override_loosens": "`sep2 override send --release` gives more than what holds, where no other override is tighter",
    "override_over": "`sep2 override list` shows those that hold or are to come",
    "too_many_programs": "`sep2 group unassign` takes a device out of a group",
    "ambiguous": "write more of it, or its name",
    "has_dependants": "--with-devices removes its devices too, --to sends them elsewhere",
    "name_taken": "choose another name; the list shows those that are there",
    "control_over": "`sep2 control list` shows those that can still be cancelled",
    "too_many_controls": "cancel some, or send fewer and longer ones",
    "certificate_unused": "wait until `sep2 client show` says that the new one is current; --anyway ends it now",
    "client_taken": "`sep2 client list` shows it; a device is added again after `sep2 device remove LFDI`",
    "connection_taken": "add the device with --no-net-limit, or remove the other one",
    "unknown_party": "`sep2 party list` shows them",
    "unknown_der": "`sep2 der list` shows them",
    "unknown_aggregation": "`sep2 aggregation list` shows them",
    "unknown_review": "`sep2 review list --every` shows them",
    "screens_unanswered": "name the screen in --evidence, or limit or reject the DER",
    "unknown_operator": "`sep2 operator list` shows them",
    "unknown_receiver": "`sep2 receiver list` shows them",
    "unknown_token": "`sep2 token list` shows them",
    "unknown_approval": "`sep2 approval list --every` shows them",
    "approval_decided": "`sep2 approval list` shows those that still wait",
    "unknown_handover": "`sep2 shift log` shows them",
    "same_person": "another operator has to: SEP2_TOKEN_FILE names whose token is used",
    "effect_changed": "look again with --dry-run; --digest takes what you have seen",
    "not_protected": "`--dry-run` shows who is left out",
    "role_too_low": "`sep2 operator show` says who you are; SEP2_TOKEN_FILE names another token",
    "last_admin": "give another operator the role admin first",
    "unauthorized": "the token file does not belong to the server that runs; is another one running on this port?",
}
PATIENCE_S = 30
COMES_ALIVE_WITHIN_S, STARTS_WITHIN_S = 2, 30
"""`sep2 serve DIR &` may be typed in the line before: until its process is there, and until it listens."""


class NoServer(SepError):
    """No server answers."""

    exit_status = 3


class NotThatServer(SepError):
    """Who answers there has another certificate than operator.certificate."""


class Refused(SepError):
    """The server refused."""

    faults: Sequence[FaultSaid] = ()
    """everything that is wrong, at most 100, where the server says it one by one"""
    number: int = 0
    """of what is wrong in all"""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.refused_with = status
        self.refusal = code
        self.field = field
        self.exit_status = 4 if status in (401, 403) else 1

    def __str__(self) -> str:
        return self.detail

    @property
    def lines(self) -> list[str]:
        """What is wrong, one by one, where that is more than one thing."""
        if len(self.faults) < 2:
            return []
        said = [in_options(str(Fault(one.path, one.code, one.value, one.bound))) for one in self.faults]
        more = self.number - len(self.faults)
        return [*said, *([f"and {more} more"] if more > 0 else [])]

    @property
    def hint(self) -> str:
        """What to do about it, where that is known."""
        hint = HINTS.get(self.refusal)
        return f"{hint[0].upper()}{hint[1:]}." if hint else ""


class Waits(SepError):
    """It is kept, and not done."""

    exit_status = 5
    is_error = False

    def __init__(self, found: Waiting) -> None:
        self.found = found
        super().__init__()

    def __str__(self) -> str:
        found = self.found
        if found.state == "draft":
            return f"It is kept as draft {found.approval}, and not sent: sep2 approval send {found.approval}"
        return (
            f"It waits for a second person until {shown_time(found.expires)}: {found.why}. "
            f"Somebody else: sep2 approval approve {found.approval}"
        )

    @property
    def answer(self) -> dict[str, Any]:
        """What the server answered."""
        found: dict[str, Any] = msgspec.to_builtins(self.found)
        return found


class Api:
    """A server's operator API, found through the folder's settings."""

    def __init__(self, settings: Settings) -> None:
        self._operator = settings.operator
        self._token = _token(settings)
        self.zone = _zone(settings)
        ZONE.set(None if self.zone is UTC else self.zone)

    @property
    def url(self) -> str:
        """Where the server answers operators."""
        operator = self._operator
        host = "localhost" if operator.host in ("0.0.0.0", "::") else operator.host  # noqa: S104 - not bound to
        return f"{'http' if operator.certificate is None else 'https'}://{host}:{operator.port}"

    def get(self, path: str, kind: type[T], **query: Any) -> T:
        """What is at `path` now; of a list as many items as `limit` says, in as many requests as that takes."""
        limit = query.get("limit") or 0
        if get_origin(kind) is not Listed or limit <= MOST_ITEMS:
            return self._get(path, kind, query)
        found = self._get(path, kind, query | {"limit": MOST_ITEMS})
        while isinstance(found, Listed) and found.next is not None and len(found.items) < limit:
            more = min(limit - len(found.items), MOST_ITEMS)
            part: Any = self._get(path, kind, query | {"limit": more, "after": found.next})
            found = msgspec.structs.replace(part, items=[*found.items, *part.items])
        return found

    def _get(self, path: str, kind: type[T], query: dict[str, Any]) -> T:
        said = {name: _in_query(value) for name, value in query.items() if value is not None and value is not False}
        return _read(self._ask("GET", path + (f"?{urlencode(said)}" if said else "")), kind)

    def all(self, path: str, kind: type[Any], **query: Any) -> Iterator[Any]:
        """Every item of a list; `limit` says how many are read at once where a list allows more than usual."""
        for found in self.pages(path, kind, **query):
            yield from found.items

    def pages(self, path: str, kind: type[Any], **query: Any) -> Iterator[Any]:
        """Every page of a list."""
        query = {"limit": MOST_ITEMS, "after": None} | query
        while True:
            found = self.get(path, kind, **query)
            yield found
            query["after"] = found.next
            if found.next is None:
                return

    def change(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: Any = None,
        *,
        draft: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> T:
        """What came of a change, or would come of it under --dry-run; Waits where it is only kept."""
        query = "?dry_run=true" if given.get().dry_run else "?draft=true" if draft else ""
        answer = self._ask(method, path + query, body, patience_s=patience_s)
        if answer[0] == 202:
            raise Waits(msgspec.json.decode(answer[1], type=Waiting))
        return _read(answer, kind)

    def next(self, path: str, kind: type[T], tag: str, wait_s: int) -> tuple[T | None, str]:
        """What is at `path` once it differs from what had this tag, with its own tag; None after so many seconds."""
        headers = {"If-None-Match": tag, "Prefer": f"wait={wait_s}"}
        answer = self._ask("GET", path, headers=headers, patience_s=wait_s + PATIENCE_S)
        status, body, new_tag = answer
        return (None if status == 304 else msgspec.json.decode(body, type=kind)), new_tag

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> tuple[int, bytes, str]:
        said = {"Authorization": f"Bearer {self._token}", "X-Operator": _who(), **(headers or {})}
        with closing(self._line(patience_s)) as line:
            try:
                self._connect(line)
                line.request(method, path, None if body is None else msgspec.json.encode(body), said)
                answer = line.getresponse()
                status, answered, tag = answer.status, answer.read(), answer.getheader("ETag") or ""
            except (OSError, http.client.HTTPException) as wrong:
                folder = given.get().folder
                raise NoServer(f"{line.host}:{line.port}: {wrong}. Start one: sep2 serve {folder}") from None
        if status >= 400:
            raise _refusal(status, answered)
        return status, answered, tag

    def _line(self, patience_s: float) -> http.client.HTTPConnection:
        operator = self._operator
        host = "127.0.0.1" if operator.host in ("0.0.0.0", "::") else operator.host  # noqa: S104 - not bound to
        if operator.certificate is None:
            return http.client.HTTPConnection(host, operator.port, timeout=patience_s)
        return Pinned(host, operator.port, operator.certificate, patience_s)

    def _connect(self, line: http.client.HTTPConnection) -> None:
        """Connect; a server that was started just now is waited for."""
        began = time.monotonic()
        while True:
            try:
                return line.connect()
            except ConnectionRefusedError:
                most_s = STARTS_WITHIN_S if process.serving(given.get().folder) else COMES_ALIVE_WITHIN_S
                if time.monotonic() - began > most_s:
                    raise
                time.sleep(0.1)


def _zone(settings: Settings) -> tzinfo:
    """The utility's zone: by its name, or an offset from UTC."""
    utility = settings.utility
    if utility.zone:
        return ZoneInfo(utility.zone)
    return timezone(timedelta(seconds=utility.tz_offset_s)) if utility.tz_offset_s else UTC


class Pinned(http.client.HTTPSConnection):
    """A connection to the server that has exactly the certificate in a file, whoever issued it."""

    def __init__(self, host: str, port: int, certificate: Path, patience_s: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the certificate itself is compared
        super().__init__(host, port, timeout=patience_s, context=context)
        self._certificate = certificate

    def connect(self) -> None:
        """Connect; NotThatServer where it shows another certificate."""
        super().connect()
        pem = self._certificate.read_text(encoding="ascii")
        first = pem[pem.index("-----BEGIN CERTIFICATE") : pem.index("-----END CERTIFICATE-----") + 25]
        shown = self.sock.getpeercert(binary_form=True)
        if shown != ssl.PEM_cert_to_DER_cert(first):
            raise NotThatServer(f"{self.host}:{self.port}")


def _token(settings: Settings) -> str:
    """The token of the file that SEP2_TOKEN_FILE names, or the folder's own."""
    named = os.environ.get("SEP2_TOKEN_FILE")
    if not named:
        return read_token(settings)
    operator = msgspec.structs.replace(settings.operator, token_file=Path(named))
    return read_token(msgspec.structs.replace(settings, operator=operator))


def api() -> Api:
    """The API of the server whose folder was given."""
    return Api(read(given.get().folder))


def at(*parts: str) -> str:
    """A path of the API from its parts, each quoted."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _read(answer: tuple[int, bytes, str], kind: type[T]) -> T:
    return msgspec.json.decode(answer[1], type=kind)


def _in_query(value: Any) -> str:
    return "true" if value is True else str(value)


def _who() -> str:
    """The name the audit log shows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return "operator"


def _one_by_one(refused: Refused) -> Refused:
    """The same, without the first of several things in its message: each has a line of its own."""
    head, _, _ = refused.detail.partition(": ")
    more = re.search(r" and (\d+) more$", refused.detail)
    number = 1 + int(more[1]) if more else len(refused.faults)
    found = Refused(refused.refused_with, refused.refusal, f"{head}: {number} things are wrong", refused.field)
    found.faults, found.number = refused.faults, number
    return found


def _refusal(status: int, body: bytes) -> Refused:
    try:
        said = json.loads(body)
        refused = Refused(status, said["code"], in_options(said["message"]), said.get("field", ""))
        refused.faults = msgspec.convert(said.get("faults", []), list[FaultSaid])
        if len(refused.faults) > 1:
            refused = _one_by_one(refused)
        return refused
    except (ValueError, KeyError, TypeError):
        return Refused(status, "unreadable", f"the server answered {status} with {body[:200]!r}")
