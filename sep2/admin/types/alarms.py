"""Alarms as the operator API shows and takes them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.rest.types import Asked, Seconds, Span, Text

State = Literal["standing", "shelved", "suppressed", "gone", "cleared", "all"]


class Alarm(Struct, frozen=True, kw_only=True):
    """Something that asks an operator to act."""

    id: int
    code: str
    priority: int
    """1 act within 5 minutes, 2 within 30 minutes, 3 this day"""
    state: str
    """new, acknowledged, shelved, suppressed, gone (over, and nobody has acknowledged it) or cleared"""
    subject: str
    """what it is about, as it is stored: a name, an LFDI or an mRID"""
    name: str
    """what people call it"""
    kind: str
    """what it is: client, connection, device, control, server, …"""
    key: str
    """what to look it up by, with its kind"""
    client: str | None
    """through whom, where it is behind a client"""
    detail: str
    count: int
    """how many it is about, such as silent devices"""
    explains: int
    """alarms that stand and are not announced because of this one"""
    under: int | None
    """the alarm that explains this one"""
    again: int
    """how often its cause came back shortly after its end"""
    meaning: str
    do: str
    by_hand: bool
    """whether nothing clears it but an operator"""
    raised: int
    cleared: int | None
    acknowledged: int | None
    acknowledged_by: str
    note: str
    shelved_until: int | None
    shelved_by: str
    shelved_because: str


class AlarmShown(Alarm, frozen=True, kw_only=True):
    """One alarm with when it is raised and cleared, and the names of what it is about."""

    raised_when: str
    cleared_when: str
    members: list[str]
    """of many the first ones"""


class AlarmQuery(Span, frozen=True, kw_only=True):
    """Alarms in a state, of a code, explained by one; `cleared`: all there ever were."""

    state: State = "standing"
    code: Annotated[str, Meta(max_length=40)] | None = None
    under: Annotated[int, Meta(ge=1, le=2**60)] | None = None
    cleared: bool = False


Ids = Annotated[list[Annotated[int, Meta(ge=1, le=2**60)]], Meta(min_length=1, max_length=500)]
Note = Annotated[str, Meta(max_length=500)]


class Acknowledge(Asked, frozen=True, kw_only=True):
    """What the operator who sees to it wants to say."""

    note: Note = ""


class AcknowledgeMany(Acknowledge, frozen=True, kw_only=True):
    """The same of several alarms, by their ids."""

    alarms: Ids


class Shelve(Asked, frozen=True, kw_only=True):
    """For how many seconds, or until when, and why. Operators: up to 8 hours; engineers: up to 90 days."""

    reason: Text
    duration: Seconds | None = None
    until: Annotated[int, Meta(ge=0, le=2**40)] | None = None


class AlarmKind(Struct, frozen=True, kw_only=True):
    """A row of the catalogue."""

    code: str
    priority: int
    subject: str
    meaning: str
    raised: str
    cleared: str
    do: str
    under: list[str]
    returns_s: int
    by_hand: bool


class Often(Struct, frozen=True, kw_only=True):
    """What was raised most often."""

    code: str
    name: str
    times: int


class AlarmFiguresQuery(Asked, frozen=True, kw_only=True):
    """Over how many days."""

    days: Annotated[int, Meta(ge=1, le=366)] = 7


class AlarmFigures(Struct, frozen=True, kw_only=True):
    """How alarms are, so that a person can work with them.

    Good is: at most one announced in 10 minutes on average, at most 10 in any 10 minutes, fewer than 10 standing,
    none of them older than a day.
    """

    standing: int
    shelved: int
    suppressed: int
    gone: int
    new: int
    """standing ones that nobody has acknowledged"""
    stale: int
    """standing for more than a day"""
    is_flood: bool
    days: int
    raised: int
    announced: int
    announced_in_10_min: float
    """on average"""
    busiest_10_min: int
    """the most that were raised within 10 minutes"""
    often: list[Often]


class AlarmCounts(Struct, frozen=True, kw_only=True):
    """How many alarms stand that are neither shelved nor explained, by priority."""

    priority_1: int
    priority_2: int
    priority_3: int
    new: int
    """that nobody has acknowledged"""
    is_flood: bool
