"""What people call the subject of an alarm: a client or connection by its name, and not by an LFDI or mRID."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sep2.rules.alarm_kinds import kind_of
from sep2.rules.identifiers import is_lfdi
from sep2.rules.names import last_part
from sep2.store import alarm_subjects
from sep2.store.connection import Connection


class Named(NamedTuple):
    """The subject of an alarm: its name, what it is, the identifier to look it up by, and the client it belongs to."""

    name: str
    kind: str
    id: str
    client: str | None = None


Subject = tuple[str, str]
"""Code and subject of an alarm."""


async def names(db: Connection, rows: Iterable[Any]) -> dict[Subject, Named]:
    """The names of the subjects of some alarms, in at most five statements however many they are."""
    wanted = {(row.code, row.subject) for row in rows}
    heads = {subject.partition(" ")[0] for _, subject in wanted}
    lfdis = [head for head in heads if is_lfdi(head)]
    mrids = [subject for code, subject in wanted if kind_of(code).subject == "control"]
    plain = [subject for code, subject in wanted if kind_of(code).subject in ("client", "connection")]
    found: dict[str, Named] = {}
    if lfdis:
        found |= await _by_lfdi(db, lfdis)
    if mrids:
        found |= {row.mrid: _control(row) for row in await alarm_subjects.controls(db, mrids)}
    if plain:
        found |= {name: Named(name, "client", name, name) for name in await alarm_subjects.named_clients(db, plain)}
        for row in await alarm_subjects.connections(db, plain):
            found[row.connection_name] = _connection(row)
    return {one: _named(*one, found) for one in wanted}


async def _by_lfdi(db: Connection, lfdis: list[str]) -> dict[str, Named]:
    """Devices by their connection, or as they are called; clients by their name."""
    found = {}
    for row in await alarm_subjects.devices(db, lfdis):
        name = row.connection_name or row.name or f"device {row.lfdi[:8]} of {row.client_name}"
        found[f"device {row.lfdi}"] = Named(name, "device", row.lfdi, row.client_name)
        if row.connection_name:
            found[f"device {row.lfdi}"] = Named(name, "connection", row.connection_name, row.client_name)
    for row in await alarm_subjects.clients(db, lfdis):
        found[f"client {row.lfdi}"] = Named(row.name, "client", row.name, row.name)
    return found


def _control(row: Any) -> Named:
    what = f"{row.description}, " if row.description else ""
    return Named(f"{what}control of {row.group_name}", "control", row.mrid)


def _connection(row: Any) -> Named:
    return Named(row.connection_name, "connection", row.connection_name, row.client_name)


def _named(code: str, subject: str, found: Mapping[str, Named]) -> Named:
    """The subject of one alarm; one that nobody knows a name of stays as it is."""
    kind = kind_of(code).subject
    head, _, rest = subject.partition(" ")
    if is_lfdi(head):
        order = ("device", "client") if kind == "device" else ("client", "device")
        known = next((found[key] for what in order if (key := f"{what} {head}") in found), None)
        if known is not None:
            return known._replace(name=f"{known.name} {rest}".rstrip())
    if subject in found:
        return found[subject]
    if kind == "receiver":
        client, at, _ = subject.rpartition(" at ")
        return Named(subject, kind, subject, client if at else None)
    if kind == "feeder":
        return Named(last_part(subject), kind, subject)
    # Nobody of that name is registered: there is no page to go to.
    return Named(subject, "names" if kind in ("client", "connection") else kind, subject)


async def member_names(db: Connection, members: list[str]) -> list[str]:
    """The same of what an alarm is about, where that is several."""
    lfdis = [one for one in members if is_lfdi(one)]
    found = await _by_lfdi(db, lfdis) if lfdis else {}
    return [found[f"device {one}"].name if f"device {one}" in found else one for one in members]
