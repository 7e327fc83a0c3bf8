"""mRIDs under the utility's own PEN."""

from sep2.rules.identifiers import DOCUMENTATION_PEN, new_mrid
from sep2.store import marks
from sep2.store.connection import Connection

_MARK = "pen"


async def fresh(db: Connection) -> str:
    """A new mRID."""
    return (await several(db, 1))[0]


async def several(db: Connection, count: int) -> list[str]:
    """So many new mRIDs."""
    pen = await pen_of(db)
    return [new_mrid(pen) for _ in range(count)]


async def pen_of(db: Connection) -> int:
    """The PEN in which every mRID ends."""
    return int(await marks.value(db, _MARK) or DOCUMENTATION_PEN)


async def set_pen(db: Connection, pen: int) -> None:
    """Have every mRID made from now on end in this PEN."""
    await marks.put(db, _MARK, str(pen))
