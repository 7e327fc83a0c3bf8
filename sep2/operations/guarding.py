"""Controls of whole groups: one control can leave out nobody, and says the same to all."""

from collections.abc import Sequence

from sep2.errors import Conflict
from sep2.operations.issuing import NewControl
from sep2.rules.protection import cuts_supply
from sep2.store import guarding
from sep2.store.connection import Connection


class ProtectedInGroup(Conflict):
    """A protected connection is in the group; take it out, or send it to places, which leaves it out."""


class BelowFloor(Conflict):
    """A rule guarantees more to controllable loads of the group; send it to places, which keeps to that."""


async def refuse_members(db: Connection, group_id: int, new: Sequence[NewControl]) -> None:
    """Nothing, unless a control would bound what a protected member draws, or be below what a rule guarantees."""
    if any(cuts_supply(one.limits, one.modes) for one in new):
        names = await guarding.protected_in(db, group_id)
        if names:
            raise ProtectedInGroup(", ".join(names))
    said = [watts for one in new for watts in (one.limits.import_w, one.limits.load_w) if watts is not None]
    if said and (found := await guarding.least_above(db, group_id, min(said))) is not None:
        raise BelowFloor(f"limits: {min(said)} W, and {found.least_load_w} W is the least of device {found.lfdi}")
