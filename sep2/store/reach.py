"""What decides whether the members of a group can carry a control and see it in time."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, and_, bindparam, cast, exists, literal, or_, select

from sep2.store.connection import Connection
from sep2.store.devices import REPORTED
from sep2.store.many import among
from sep2.store.tables import client, connection, end_device, member, subscription

_GROUP: ColumnElement[Any] = bindparam("group")


def _ids(*parts: tuple[str, ColumnElement[Any]]) -> ColumnElement[str]:
    """The numbers of a path as subscriptions store them, made by the database."""
    text: Any = literal("{")
    for at, (name, number) in enumerate(parts):
        text = text.concat(f'{", " if at else ""}"{name}": ').concat(number)
    joined: ColumnElement[str] = text.concat("}")
    return joined


_DEVICE = cast(end_device.c.id, Text)
_TOLD = exists().where(
    or_(
        and_(
            among(subscription.c.resource, ("DERControlList", "DERProgram", "EndDeviceControlList")),
            subscription.c.ids == _ids(("derp", _GROUP), ("edev", _DEVICE)),
        ),
        and_(
            among(subscription.c.resource, ("DERProgramList", "DemandResponseProgramList")),
            or_(
                subscription.c.ids == _ids(("edev", _DEVICE), ("fsa", _GROUP)),
                subscription.c.ids == _ids(("edev", _DEVICE), ("fsa", literal("0"))),
            ),
        ),
    )
)
"""Whether a subscriber hears of a new control of the program: of the list, or of what counts its controls."""
_MEMBERS = (
    select(
        end_device.c.id,
        end_device.c.lfdi,
        end_device.c.modes_supported,
        end_device.c.doe_modes_supported,
        end_device.c.load_control_w,
        *REPORTED,
        client.c.profile,
        connection.c.connection_id.label("connection_name"),
        _TOLD.label("told"),
    )
    .join_from(member, end_device, end_device.c.id == member.c.end_device_id)
    .join(client, client.c.id == end_device.c.client_id)
    .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    .where(member.c.device_group_id == bindparam("group_id"), end_device.c.id > bindparam("after"))
    .order_by(end_device.c.id)
    .limit(bindparam("most"))
)


async def members(db: Connection, group_id: int, after: int, most: int) -> Sequence[Row[Any]]:
    """The next members of a group by their ids, with what each reported, and whether it is `told` of new controls."""
    return await db.all(_MEMBERS, group_id=group_id, group=str(group_id), after=after, most=most)
