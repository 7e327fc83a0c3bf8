"""Controls as one device is served them: those whose percentages changed have been issued anew to it alone.

An event is never edited (2030.5 10.2.3.3 c). So where a limit is sent in percent of setMaxW, and that changes, the
device is served the control again under another mRID and with a later creationTime; the one before is superseded.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sep2 import wire as w
from sep2.functions.request import Request
from sep2.rules.paging import Page
from sep2.rules.ratings import rating
from sep2.store import controls, editions
from sep2.store.controls import Control
from sep2.store.editions import FIRST_NUMBER, Edition
from sep2.store.page import Found

LISTED = 2
"""Of each control: its latest edition, and the one that this took the place of."""
ALL = Page(0, 2**31)


class Issued(NamedTuple):
    """A control as it is served: the number in its href, its facts, and the watts that its percentages are of."""

    number: int
    control: Control
    rating_w: int | None


async def live(rq: Request) -> Found[Issued]:
    """The page of a program's controls that are still listed, earliest first."""
    edited = await _edited(rq)
    if not edited:
        page = await controls.live(rq.db, rq.ids.derp, rq.page, rq.seen)
        return Found(page.total, [_plain(rq, control) for control in page.rows])
    whole = await controls.live(rq.db, rq.ids.derp, ALL, rq.seen)
    served = [one for row in whole.rows for one in _served(rq, row, edited.get(row.id, ()))[-LISTED:]]
    served.sort(key=lambda one: (one.control.start, -one.control.created, -int(one.control.mrid, 16)))
    if rq.page.after is not None:
        served = [one for one in served if one.control.start > rq.page.after]
    return Found(len(served), served[rq.page.start : rq.page.start + rq.page.limit])


async def active(rq: Request) -> Found[Issued]:
    """The page of a program's controls that hold now."""
    page = await controls.active(rq.db, rq.ids.derp, rq.page, rq.seen)
    edited = await _edited(rq)
    return Found(page.total, [_served(rq, row, edited.get(row.id, ()))[-1] for row in page.rows])


async def one(rq: Request) -> Issued | None:
    """The control of the path."""
    number: int | None = rq.ids.derc
    control_id = number
    if rq.ids.derc >= FIRST_NUMBER:
        control_id = await editions.control_of(rq.db, rq.ids.edev, rq.ids.derc - FIRST_NUMBER)
    row = None if control_id is None else await controls.in_group(rq.db, rq.ids.derp, control_id)
    if row is None or control_id is None:
        return None
    made = await editions.of_control(rq.db, rq.ids.edev, control_id) if _in_percent(rq) else []
    return next((found for found in _served(rq, row, made) if found.number == number), None)


async def more_listed(rq: Request) -> dict[int, int]:
    """By group, how many controls more than it has are listed for the device."""
    return await editions.edited(rq.db, rq.ids.edev, rq.seen.listed_since) if _in_percent(rq) else {}


def _in_percent(rq: Request) -> bool:
    return rq.caller.profile is w.Profile.CSIP


async def _edited(rq: Request) -> dict[int, list[Edition]]:
    if not _in_percent(rq):
        return {}
    return await editions.listed(rq.db, rq.ids.edev, rq.ids.derp, rq.seen.listed_since)


def _plain(rq: Request, control: Control) -> Issued:
    return Issued(control.id, control, rating(rq.own).watts)


def _served(rq: Request, control: Control, made: Sequence[Edition]) -> list[Issued]:
    """All that the device was served of a control, the latest last."""
    if not made:
        return [_plain(rq, control)]
    first = Issued(control.id, control, made[0].before_w)
    later = [Issued(FIRST_NUMBER + one.id, _issued_anew(control, one), one.rating_w) for one in made]
    all_of_them = [first, *later]
    replaced = [one._replace(control=_replaced(one.control, by)) for one, by in _neighbours(all_of_them)]
    return [*replaced, all_of_them[-1]]


def _neighbours(several: Sequence[Issued]) -> Iterable[tuple[Issued, Control]]:
    return ((one, after.control) for one, after in itertools.pairwise(several))


def _issued_anew(control: Control, edition: Edition) -> Control:
    """The same control from then on: what has begun goes on, and ends when it would have."""
    anew = control._replace(mrid=edition.mrid, created=edition.created)
    if edition.since <= control.earliest_start:
        return anew
    end = control.start + max(0, control.randomize_start or 0) + control.duration
    start = min(edition.since, end - 1)
    return anew._replace(start=start, earliest_start=start, duration=end - start, randomize_start=None)


def _replaced(old: Control, by: Control) -> Control:
    """A control that gave way to its next edition, unless it was cancelled or superseded before."""
    gone = by.earliest_start
    if old.successor_start is not None and old.successor_start <= gone:
        return old
    if old.cancelled is not None and old.cancelled <= gone:
        return old
    return old._replace(cancelled=None, cancelled_as=None, successor_created=by.created, successor_start=gone)
