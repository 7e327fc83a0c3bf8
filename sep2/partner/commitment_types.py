"""Commitments, as they are asked for and shown; times in epoch seconds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.rest.types import Asked, Epoch, Span
from sep2.rules.market.plan_forms import Named
from sep2.rules.market.register import Service

Words = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", max_length=400)]
HolderWord = Literal["wholesale", "local", "retail"]
StateWord = Literal["requested", "held", "released", "denied"]


class CommitmentQuery(Span, frozen=True, kw_only=True):
    """Commitments of a DER or an aggregation, in a state, that touch a time; as they were known at a time."""

    der: Named | None = None
    aggregation: Named | None = None
    state: StateWord | None = None
    start: Epoch | None = None
    end: Epoch | None = None
    known_at: Epoch | None = None


class Clash(Struct, frozen=True, kw_only=True):
    """What excludes a commitment, in the time that both share."""

    commitment: int
    service: str
    holder: str
    start: int
    end: int


class Commitment(Struct, frozen=True, kw_only=True):
    """A DER that is promised to a service in [start, end)."""

    id: int
    der: str
    service: str
    holder: str
    aggregation: str
    program: str
    start: int
    end: int
    state: str
    reason: str
    basis: str
    origin: int | None
    """the commitment that it was moved or cut from"""
    version: int
    recorded_at: int
    recorded_by: str


class CommitmentVersion(Struct, frozen=True, kw_only=True):
    """How a commitment stood from one time on."""

    version: int
    state: str
    start: int
    end: int
    reason: str
    recorded_at: int
    recorded_by: str


class CommitmentShown(Commitment, frozen=True, kw_only=True):
    """A commitment with what it clashes with now, and every way it stood."""

    conflicts: list[Clash]
    versions: list[CommitmentVersion]


class NewCommitment(Asked, frozen=True, kw_only=True):
    """A DER that is to serve an aggregation (wholesale) or a program (local, retail) in [start, end)."""

    der: Named
    service: Service
    start: Epoch
    end: Epoch
    holder: HolderWord = "wholesale"
    aggregation: Named | None = None
    program: Annotated[str, Meta(max_length=80)] = ""
    basis: Words = "request"
    profile: Annotated[str, Meta(max_length=32)] | None = None
    """the market whose rules apply; left out: that of the aggregation, or custom"""
    hold: bool = False
    """whether it is held at once"""


class CommitmentMove(Asked, frozen=True, kw_only=True):
    """Who gets the DER for which part of the commitment; start and end left out: all of it."""

    service: Service
    holder: HolderWord
    start: Epoch | None = None
    end: Epoch | None = None
    aggregation: Named | None = None
    program: Annotated[str, Meta(max_length=80)] = ""
    basis: Words = "move"


class CommitmentPart(Asked, frozen=True, kw_only=True):
    """A part of a commitment's time; left out: from now, and to its end."""

    start: Epoch | None = None
    end: Epoch | None = None


class Denial(Asked, frozen=True, kw_only=True):
    """Why a request is refused: the rule that it breaks."""

    reason: Words


class FreedCommitment(Struct, frozen=True, kw_only=True):
    """The time in which a DER is no longer committed, and how the commitment stands."""

    freed_from: int
    freed_to: int
    commitment: CommitmentShown


class OwnQuery(Span, frozen=True, kw_only=True):
    """Your commitments that touch a time, in a state."""

    state: StateWord | None = None
    start: Epoch | None = None
    end: Epoch | None = None


class OwnCommitment(Asked, frozen=True, kw_only=True):
    """One of your DERs that is to serve one of your aggregations (wholesale), or a local program, in [start, end)."""

    der: Named
    service: Service
    start: Epoch
    end: Epoch
    holder: Literal["wholesale", "local"] = "wholesale"
    aggregation: Named | None = None
    program: Annotated[str, Meta(max_length=80)] = ""
    basis: Words = "request"
    hold: bool = False
    """whether it is held at once"""


class OwnMove(Asked, frozen=True, kw_only=True):
    """Who gets the DER for which part of one of your commitments; start and end left out: all of it."""

    commitment: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    service: Service
    holder: Literal["wholesale", "local"]
    start: Epoch | None = None
    end: Epoch | None = None
    aggregation: Named | None = None
    program: Annotated[str, Meta(max_length=80)] = ""
    basis: Words = "move"
