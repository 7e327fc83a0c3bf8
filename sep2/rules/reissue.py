"""Which controls have to be issued anew, in part, so that what they say holds again where nothing stronger does.

Some clients never take an event up again once another one has taken its place, whether that one ends or is cancelled.
What is to hold afterwards is therefore always said by a control that they have not seen: one with an mRID of its own,
which begins where the stronger one ends. Events are never edited (2030.5 10.2.3.3 c).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from sep2.rules.authority import strength

MOST_PARTS = 12
"""Parts of one control up to which it is cut exactly where something stronger ends; beyond, some time after that."""
STEPS_S = (300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 604_800)

Modes = frozenset[str]
Span = tuple[int, int]


class Row(NamedTuple):
    """A control of one of a device's programs, from its earliest start until its latest end or its successor's start.

    dead: it was superseded, and nobody takes it up again; it counts only where what replaced it is withdrawn.
    last: its own latest end, where its successor's start is earlier.
    """

    id: int
    program: int
    primacy: int
    mrid: int
    created: int
    start: int
    end: int
    modes: Modes
    categories: int | None = None
    root: int = 0
    """The control of which it is a part; its own id if it is whole."""
    dead: bool = False
    last: int = 0

    @property
    def strength(self) -> tuple[int, int, int]:
        """What controls are ordered by, the strongest first."""
        return strength(self.primacy, self.mrid, self.created)


class Piece(NamedTuple):
    """A part of a control that is to be issued anew, in the control's own program."""

    row: Row
    start: int
    end: int
    modes: Modes
    level: int = 0
    """It has to be said later than the pieces of lower levels, which it outranks at the same primacy."""


View = Sequence[Row]
"""All controls of all programs of one device."""


class Marks(NamedTuple):
    """What is known of one control: where it has to be cut, and whether no client takes it as it is."""

    cuts: frozenset[int] = frozenset()
    spent: bool = False


def to_reissue(
    views: Iterable[View],
    now: int,
    gone: Sequence[Row] = (),
    *,
    until: int | None = None,
    fresh: Collection[int] = (),
) -> list[Piece]:
    """The parts of controls to be issued anew once the views are what they are and `gone` are withdrawn.

    gone: controls withdrawn at `now`, which are in no view any more. What they had replaced in their own program is in
    the views, dead if nobody takes it up again. until: up to when the views are complete.
    fresh: controls that were issued in this same change, so that no client has seen them below what is withdrawn.
    """
    seen = [list(view) for view in views]
    rows = {row.id: row for view in seen for row in view}
    restored = _restored(list(rows.values()), now, gone)
    for view in seen:
        programs = {row.program for row in view}
        view.extend(row for row in restored if row.program in programs)
    marks = _marked(seen, now, gone, until=until, fresh=fresh)
    marks |= {row.id: marks.get(row.id, Marks())._replace(spent=True) for row in restored}
    by_program: dict[int, list[Row]] = defaultdict(list)
    for row in (*rows.values(), *restored):
        if not row.dead:
            by_program[row.program].append(row)
    found = _all_pieces(by_program, marks, now)
    rivals = _rivals(seen) if found else {}
    while more := _outdone(found, rivals, marks, now):
        marks |= more
        found = _all_pieces(by_program, marks, now)
    leveled = _levels(found, rivals)
    return [piece if piece.row.id >= 0 else piece._replace(row=rows[piece.row.root]) for piece in leveled]


def _all_pieces(by_program: Mapping[int, Sequence[Row]], marks: Mapping[int, Marks], now: int) -> list[Piece]:
    return [piece for several in by_program.values() for piece in _pieces(several, marks, now)]


def _rivals(views: Iterable[View]) -> dict[int, list[Row]]:
    """Of each control those that are stronger only because they were said later: of other programs of its primacy."""
    found: dict[int, dict[int, Row]] = defaultdict(dict)
    for view in views:
        programs = {(row.program, row.primacy) for row in view if not row.dead}
        shared = {primacy for primacy, several in Counter(primacy for _, primacy in programs).items() if several > 1}
        alike = sorted((row for row in view if not row.dead and row.primacy in shared), key=lambda row: row.strength)
        for stronger, row in combinations(alike, 2):
            if stronger.primacy == row.primacy and stronger.program != row.program and _meet(stronger, row):
                found[row.id][stronger.id] = stronger
    return {number: list(several.values()) for number, several in found.items()}


def _outdone(
    pieces: Iterable[Piece], rivals: Mapping[int, Sequence[Row]], marks: Mapping[int, Marks], now: int
) -> dict[int, Marks]:
    """The marks of controls that a piece would outrank, as it is said later, though its whole does not.

    They are issued anew too, from where they meet the piece.
    """
    found: dict[int, Marks] = {}
    for piece in pieces:
        for rival in rivals.get(piece.row.id, ()):
            if not _meet(rival, piece.row._replace(start=piece.start, end=piece.end, modes=piece.modes)):
                continue
            known = found.get(rival.id) or marks.get(rival.id) or Marks()
            first = max(piece.start, rival.start, now)
            if known.spent or (known.cuts and min(known.cuts) <= first):
                continue
            whole = first <= max(now, rival.start) or rival.start > now
            found[rival.id] = Marks(known.cuts if whole else known.cuts | {first}, whole)
    return found


def _levels(pieces: Sequence[Piece], rivals: Mapping[int, Sequence[Row]]) -> list[Piece]:
    """The pieces, each with its level."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, piece in enumerate(pieces):
        places[piece.row.id].append(place)
    levels = [0] * len(pieces)
    for place in sorted(range(len(pieces)), key=lambda place: pieces[place].row.strength, reverse=True):
        one = pieces[place]
        for above in (above for rival in rivals.get(one.row.id, ()) for above in places[rival.id]):
            if pieces[above].start < one.end and one.start < pieces[above].end:
                levels[above] = max(levels[above], levels[place] + 1)
    return [piece._replace(level=level) for piece, level in zip(pieces, levels, strict=True)]


def _marked(
    views: Iterable[View], now: int, gone: Sequence[Row], *, until: int | None, fresh: Collection[int]
) -> dict[int, Marks]:
    """Of each control that has to be issued anew: where it is to be cut, and whether all of it has to be."""
    cuts: dict[int, set[int]] = defaultdict(set)
    spent = set[int]()
    for view in views:
        parts = _wholes(view)
        live = sorted((row for row in view if not row.dead), key=lambda row: row.strength)
        for place, row in enumerate(live):
            stronger = [other for other in live[:place] if _meet(other, row)]
            ends = {end for end in _ends(row, stronger) if now < end and (until is None or end <= until)}
            cuts[row.id] |= _cut(row, ends, parts[row.program, row.root])
            if any(_takes_at_once(other, row, now) for other in stronger):
                spent.add(row.id)
            under = any(other.start <= now and other.strength < row.strength and _meet(other, row) for other in gone)
            if under and row.id not in fresh:
                spent.add(row.id)
            if row.start > now and cuts[row.id]:
                # The part that is issued anew supersedes it, and CSIP-AUS shows what is scheduled so at once.
                spent.add(row.id)
    return {number: Marks(frozenset(at), number in spent) for number, at in cuts.items() if at or number in spent}


def cuts_of(start: int, end: int, modes: Modes, stronger: Iterable[Row]) -> list[int]:
    """Where something said from `start` until `end` has to be cut because stronger controls over it end there."""
    over = [row for row in stronger if not row.dead and row.start < end and start < row.end and row.modes & modes]
    whole = Row(0, 0, 0, 0, 0, start, end, modes)
    return sorted(_ends(whole, over))


def few(cuts: Iterable[int], whole: Span, *, parts: int = 0) -> list[int]:
    """Where a control is cut: at these times, or, where it is in too many parts then, at the next of a few times.

    whole: from when until when all its parts hold. parts: in how many it is already. A group's control is the same for
    hundreds of places, at each of which something stronger may end at a time of its own, and clients hold 24 events.
    """
    found = set(cuts)
    if len(found) + max(1, parts) <= MOST_PARTS:
        return sorted(found)
    least = (whole[1] - whole[0]) / MOST_PARTS
    step = next((step for step in STEPS_S if step >= least), whole[1] - whole[0])
    later = {-(-cut // step) * step for cut in found}
    return sorted(cut for cut in later if whole[0] < cut < whole[1])


def _wholes(rows: Iterable[Row]) -> dict[tuple[int, int], list[Row]]:
    """The live parts of each control, by its program and the control that they are parts of."""
    found: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        if not row.dead:
            found[row.program, row.root].append(row)
    return found


def _cut(row: Row, cuts: Iterable[int], parts: Sequence[Row]) -> set[int]:
    """Where a control that is one of several parts of a whole is cut."""
    whole = min(one.start for one in parts), max(one.end for one in parts)
    return {cut for cut in few(cuts, whole, parts=len(parts)) if row.start < cut < row.end}


def _restored(rows: Sequence[Row], now: int, gone: Sequence[Row]) -> list[Row]:
    """Parts of what withdrawn controls had replaced in their programs, as if said just now; with ids below zero."""
    found: list[Row] = []
    for lost in gone:
        before = [row for row in rows if row.program == lost.program and row.root != lost.root]
        for old in sorted(before, key=lambda row: row.strength):
            whole = old._replace(end=max(old.end, old.last))
            if old.strength < lost.strength or not _meet(whole, lost) or not (old.dead or old.end < whole.end):
                continue
            span = max(now, old.start if old.dead else old.end, lost.start), min(whole.end, lost.end)
            live = [row for row in rows if not row.dead and row.strength < old.strength]
            covers = [row for row in (*live, *found) if row.program == old.program and _covers(row, old)]
            wanted = old._replace(modes=old.modes & lost.modes)
            found += [
                old._replace(
                    id=-len(found) - place, start=start, end=end, modes=modes, created=lost.created, dead=False,
                    root=old.id,
                )
                for place, (start, end, modes) in enumerate(_left(span, wanted, covers, ()), start=1)
            ]  # fmt: skip
    return found


def _pieces(rows: Sequence[Row], marks: Mapping[int, Marks], now: int) -> list[Piece]:
    """Of the controls of one program those parts that are to be issued anew."""
    found: list[Piece] = []
    ordered = sorted(rows, key=lambda row: row.strength)
    for place, row in enumerate(ordered):
        known = marks.get(row.id)
        if known is None:
            continue
        first = max(now, row.start) if known.spent else min(known.cuts)
        covers = [other for other in ordered[:place] if _covers(other, row)]
        found += [Piece(row, *part) for part in _left((first, row.end), row, covers, known.cuts)]
    return found


def _left(span: Span, row: Row, covers: Sequence[Row], cuts: Iterable[int]) -> list[tuple[int, int, Modes]]:
    """The parts of a time in which covers leave a control some of its modes; never joined across a cut."""
    first, last = span
    if first >= last:
        return []
    edges = {first, last, *(edge for other in covers for edge in (other.start, other.end)), *cuts}
    parts: list[tuple[int, int, Modes]] = []
    for start, end in pairwise(sorted(edge for edge in edges if first <= edge <= last)):
        taken = [other.modes for other in covers if other.start <= start < other.end]
        modes = row.modes.difference(*taken)
        if parts and parts[-1][1] == start and parts[-1][2] == modes and start not in cuts:
            parts[-1] = parts[-1][0], end, modes
        elif modes:
            parts.append((start, end, modes))
    return parts


def _ends(row: Row, stronger: Sequence[Row]) -> set[int]:
    """Where within a control one that is stronger ends, and for some mode of both no other stronger one goes on."""
    return {
        other.end
        for other in stronger
        if row.start < other.end < row.end
        and any(not _said(mode, other.end, stronger) for mode in other.modes & row.modes)
    }


def _said(mode: str, at: int, rows: Iterable[Row]) -> bool:
    return any(mode in row.modes and row.start <= at < row.end for row in rows)


def _takes_at_once(new: Row, old: Row, now: int) -> bool:
    """Whether a control is scheduled, and CSIP-AUS shows it as superseded as soon as this one is there."""
    same = new.program == old.program and new.modes == old.modes and new.categories == old.categories
    return same and old.start > now


def _meet(one: Row, other: Row) -> bool:
    """Whether two controls ask for the same mode at the same time, of devices that may be the same."""
    if not (one.start < other.end and other.start < one.end and one.modes & other.modes):
        return False
    categories = one.categories, other.categories
    return None in categories or bool((one.categories or 0) & (other.categories or 0))


def _covers(other: Row, row: Row) -> bool:
    """Whether a control holds for all devices that another one is for."""
    if other.categories is None or other.categories == row.categories:
        return True
    return row.categories is not None and row.categories & ~other.categories == 0
