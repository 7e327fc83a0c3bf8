"""What several routes of the operator API take: bounds in watts."""

from typing import Literal

from msgspec import Struct

from sep2.rest.types import Asked, Watts

Protected = Literal["none", "life_support", "critical"]


class LeftOut(Struct, frozen=True, kw_only=True):
    """A protected connection that a command does not cover, and what it is marked as."""

    connection_id: str
    protected: str


class Limits(Asked, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds in watts; what is left out is not bounded."""

    import_w: Watts | None = None
    export_w: Watts | None = None
    gen_w: Watts | None = None
    load_w: Watts | None = None
