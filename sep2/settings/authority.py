"""What one operator may do alone, and the least that rules of a region guarantee."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.rules.limits import LARGEST_W

LONGEST_S = 366 * 86_400


class Approvals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one operator may do alone, and how long a request waits for a second one.

    What covers a protected connection by name needs a second person whatever is said here.
    """

    second_person: Literal["production", "always", "never"] = "production"
    """Whether a second person is asked for: in production mode, also in test mode, or not at all."""
    longest_alone_s: Annotated[int, Meta(ge=60, le=LONGEST_S)] = 4 * 3600
    """Overrides that last longer need a second person."""
    largest_alone_w: Annotated[int, Meta(ge=0, le=LARGEST_W)] = 1_000_000
    """Overrides of more than one transformer that hold back more, by rating, need a second person."""
    waits_s: Annotated[int, Meta(ge=60, le=86_400)] = 1800
    """A request that nobody has agreed to by then is refused."""
    draft_s: Annotated[int, Meta(ge=60, le=LONGEST_S)] = 7 * 86_400
    """A draft that nobody has sent by then is gone."""

    def is_asked(self, mode: str) -> bool:
        """Whether a second person has to agree, in a server's mode, to what one operator may not do alone."""
        return self.second_person in ("always", mode)


class Floor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The least to which a region's rule lets a utility limit what controllable loads draw."""

    least_w: Annotated[int, Meta(ge=0, le=LARGEST_W)]
    """Of the first load."""
    factors: tuple[Annotated[float, Meta(ge=0, le=1)], ...] = (1.0,)
    """What each further load counts, by how many loads there are; the last one holds for more."""
    source: str = ""
    """Where that is said."""


FLOORS = {
    "de-14a": Floor(
        least_w=4200,
        factors=(1.0, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45),
        source="Germany, EnWG 14a, BNetzA BK6-22-300: 4.2 kW per controllable load",
    )
}
"""Rules that are known without being written into sep2.toml."""
