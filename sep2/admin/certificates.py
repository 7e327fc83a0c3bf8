"""Clients with their certificates, and the replacement of these."""

from typing import Any

from sqlalchemy import Row

from sep2.admin import find, views
from sep2.admin import types as t
from sep2.operations import identities
from sep2.rest.route import Request
from sep2.store import certificates as shown
from sep2.store import identities as stored


async def show_client(rq: Request, asked: t.Nothing) -> t.ClientShown:
    """One client, by its name or LFDI, with its certificates."""
    row = await find.client(rq.db, rq.ids["client"])
    beside = await stored.of_client(rq.db, row.id)
    known = await shown.of(rq.db, [row.lfdi, *(one.lfdi for one in beside)])
    current = _certificate(row.lfdi, identities.CURRENT, known.get(row.lfdi))
    others = [
        _certificate(one.lfdi, one.state, known.get(one.lfdi), since=one.since, until=one.until) for one in beside
    ]
    fields = views.client(row)
    return t.ClientShown(
        **{name: getattr(fields, name) for name in fields.__struct_fields__}, certificates=[current, *others]
    )


def _certificate(
    lfdi: str, state: str, known: Row[Any] | None, *, since: int | None = None, until: int | None = None
) -> t.ClientCertificate:
    return t.ClientCertificate(
        lfdi=lfdi,
        state=state,
        since=since,
        until=until,
        subject=known.subject if known is not None else "",
        not_after=known.not_after if known is not None else None,
    )


async def replace_certificate(rq: Request, asked: t.NewCertificate) -> t.CertificateReplaced:
    """The certificate that may act for the client too from now on, and until when the one before may."""
    row = await find.client(rq.db, rq.ids["client"])
    done = await identities.replace(rq.db, row.id, asked.lfdi.upper(), rq.now, overlap_s=asked.overlap)
    return _replaced(row.name, done)


async def finish_replacement(rq: Request, asked: t.FinishReplacement) -> t.CertificateReplaced:
    """The certificate before is gone; refused where the new one was never used, unless that is meant."""
    row = await find.client(rq.db, rq.ids["client"])
    return _replaced(row.name, await identities.finish(rq.db, row.id, rq.now, anyway=asked.anyway))


async def cancel_replacement(rq: Request, asked: t.Nothing) -> t.CertificateReplaced:
    """The new certificate stands for nobody; refused once it has been used."""
    row = await find.client(rq.db, rq.ids["client"])
    return _replaced(row.name, await identities.cancel(rq.db, row.id))


def _replaced(name: str, done: identities.Replacement) -> t.CertificateReplaced:
    return t.CertificateReplaced(
        client=name, current=done.current, other=done.other, state=done.state, until=done.until
    )
