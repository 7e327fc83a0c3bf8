"""Names that operators give: unique for each kind of thing."""

from sep2.errors import BadValue, Conflict
from sep2.rules import names
from sep2.store import naming
from sep2.store.connection import Connection


class BadName(BadValue):
    """A name is 1 to 80 characters that can be seen."""


class NameTaken(Conflict):
    """Something else of this kind has the name; names that differ in case or width only are the same."""


async def check(db: Connection, noun: str, name: str, *, beside: int | None = None) -> str:
    """The name, where something of this kind may have it; beside: the id of what is to be renamed."""
    if wrong := names.misfit(name):
        raise BadName(f"name: {wrong}")
    known = await naming.holder(db, noun, name)
    if known is not None and known != beside:
        raise NameTaken(f"{noun} {name}")
    return name


async def free(db: Connection, noun: str, wanted: str) -> str:
    """The wanted name where it is free, else one like it: `Name (2)`."""
    return names.free(wanted, await naming.keys(db, noun, wanted))
