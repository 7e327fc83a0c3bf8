"""Groups and their defaults, as the operator API shows and takes them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sep2.admin.types.base import Limits
from sep2.rest.types import Asked, Span, Text

Level = Literal["SY", "ST", "SS", "FD", "SG", "TF", "SP", "NT"]
Primacy = Annotated[int, Meta(ge=0, le=255)]


class Group(Struct, frozen=True, kw_only=True):
    """The operator's set of devices, with one DERProgram, whose mRID it is known by too."""

    name: str
    mrid: str
    level: str
    primacy: int
    description: str
    connection_id: str | None
    devices: int
    created: int
    role: str
    """group, connection, device; or override, wide-override, schedule: operators' programs of one place"""


class NewGroup(Asked, frozen=True, kw_only=True):
    """A group to create; the lower primacy wins."""

    name: Text
    level: Level = "NT"
    primacy: Primacy
    description: Annotated[str, Meta(max_length=32)] = ""


class GroupQuery(Span, frozen=True, kw_only=True):
    """Also the operators' programs of single places, if asked for."""

    every: bool = False


class Members(Asked, frozen=True, kw_only=True):
    """Devices, by LFDI."""

    devices: Annotated[list[str], Meta(min_length=1, max_length=10_000)]


class Default(Struct, frozen=True, kw_only=True):
    """What holds for a group when no control is active."""

    group: str
    mrid: str
    limits: Limits
    modes: dict[str, Any]
    set_grad_w: int | None
    set_soft_grad_w: int | None
    enter_service: dict[str, int]
    changed: int


class NewDefault(Asked, frozen=True, kw_only=True):
    """What shall hold for a group when no control is active; it replaces what was set before."""

    limits: Limits = Limits()
    modes: dict[str, Any] = field(default_factory=dict)
    set_grad_w: Annotated[int, Meta(ge=0, le=65535)] | None = None
    set_soft_grad_w: Annotated[int, Meta(ge=0, le=65535)] | None = None
    enter_service: dict[str, int] = field(default_factory=dict)
