"""What the front is asked and what it answers, refusals among them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sep2 import wire as w
from sep2.errors import SepError
from sep2.functions.request import Made
from sep2.resources import Resource
from sep2.rules import media
from sep2.server.holding import HeldBack
from sep2.server.paces import TooManyRequests
from sep2.store.connection import Outage


class NoSuchMethod(SepError):
    """2030.5 uses GET, HEAD, PUT, POST and DELETE."""

    status = 501


class NotOffered(SepError):
    """This resource does not offer that method."""

    status = 405

    def __init__(self, row: Resource) -> None:
        super().__init__(row.name)
        self.allow = row.allow


@dataclass(slots=True)
class Asked:
    """A request as it came in; the LFDI is that of the peer's certificate."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    lfdi: str = ""
    resource: str = ""
    """The row of the table that it is about, once that is found."""


@dataclass(slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    unregistered: bool = False
    """Whether the certificate is no client's."""


def refused(refusal: SepError, location: str | None = None) -> Answer:
    """An answer that says no, with an Error where the standard has a reasonCode for it."""
    headers = {"Location": location} if location else {}
    if isinstance(refusal, NotOffered):
        headers["Allow"] = refusal.allow
    wait_s = refusal.wait_s if isinstance(refusal, TooManyRequests) else None
    if isinstance(refusal, Outage | HeldBack):
        headers["Retry-After"] = str(refusal.retry_s)
    elif wait_s is not None:
        headers["Retry-After"] = str(wait_s)
    if refusal.reason is None and refusal.status != 409:
        return Answer(refusal.status, headers=headers)
    body = w.encode(w.Error(maxRetryDuration=wait_s, reasonCode=refusal.reason or 0), w.Profile.CSIP)
    return Answer(refusal.status, body, headers | {"Content-Type": media.XML})


def changed(made: Made | None) -> Answer:
    """201 with the place of what is new; 204 for what was changed, with its place where clients expect one."""
    if made is None:
        return Answer(204)
    return Answer(201 if made.new else 204, headers={"Location": made.href})
