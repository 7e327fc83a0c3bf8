"""When the events of one EndDevice start and end, which of them wins, and what is answered (2030.5 10.2.3, 8.8)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from random import Random
from typing import Any, NamedTuple, Self

from sep2.client.limits import Limits, Setting
from sep2.rules import authority
from sep2.rules.events import Status
from sep2.wire import ResponseStatus as Answer

VANISHING_S = 30
"""An event that left its list so shortly before its end is over, not withdrawn: clocks differ by as much."""


LISTED_S = 20
"""A server may list an event for so long after its latest end; who sees it first then owes no answer."""


class Control(NamedTuple):
    """One DERControl or EndDeviceControl, as far as it decides what is done when."""

    mrid: int
    program: int
    created: int
    start: int
    duration: int
    modes: Mapping[str, Any]
    status: int = Status.SCHEDULED
    randomize_start: int = 0
    randomize_duration: int = 0
    category: int | None = None
    reply_to: str | None = None
    response_required: int = 0
    is_load_control: bool = False
    """Whether it is an EndDeviceControl."""

    @property
    def end(self) -> int:
        """The specified end: without randomization."""
        return self.start + self.duration

    @property
    def latest_end(self) -> int:
        """The latest end that may be drawn."""
        return self.end + max(0, self.randomize_start) + max(0, self.randomize_duration)


class Default(NamedTuple):
    """The DefaultDERControl of one program."""

    mrid: int
    modes: Mapping[str, Any]


class Program(NamedTuple):
    """A DERProgram or DemandResponseProgram the device is assigned to; the lower primacy has priority."""

    mrid: int
    primacy: int


class Owed(NamedTuple):
    """A response that the server asked for."""

    control: Control
    answer: Answer
    at: int


class Stage(Enum):
    """How far a device has come with a control."""

    WAITING = auto()
    RUNNING = auto()
    OVER = auto()


@dataclass(slots=True, eq=False)
class Booking:
    """A control with what was drawn for it and what became of it."""

    control: Control
    begins: int
    own_end: int
    stage: Stage = Stage.WAITING
    lost: set[str] = field(default_factory=set)
    cancel_at: int | None = None
    missed: bool = False

    @property
    def kept(self) -> set[str]:
        """The modes that no other control has taken."""
        return set(self.control.modes) - self.lost

    @property
    def doomed(self) -> bool:
        """The server says superseded before it began: it never begins."""
        return self.stage is Stage.WAITING and self.control.status == Status.SUPERSEDED


class Schedule:
    """The events of one EndDevice. All times are the server's; what is said at `now` never lies before what was."""

    def __init__(self, rng: Random, *, category: int | None = None, whole_defaults: bool = True) -> None:
        """whole_defaults: whether the default of the first program is taken as it is, with nothing from the others.

        Clients are known to do so. Otherwise each mode is that of the first program whose default has it (10.10.4.3).
        """
        self._rng = rng
        self._whole_defaults = whole_defaults
        self._category = category
        self._programs: dict[int, Program] = {}
        self._defaults: dict[int, Default] = {}
        self._live: dict[int, Booking] = {}
        self._over: dict[int, Booking] = {}
        self._owed: list[Owed] = []
        self._next: int | None = None

    def assign(self, programs: Iterable[Program], now: int) -> None:
        """Take the programs the device is in; what a program said is void once the device has left it."""
        ordered = sorted(programs, key=lambda program: (program.primacy, -program.mrid))
        self._programs = {program.mrid: program for program in ordered}
        self._defaults = {mrid: default for mrid, default in self._defaults.items() if mrid in self._programs}
        for booking in [*self._live.values()]:
            if booking.control.program not in self._programs:
                self._close(booking, Answer.CANCELLED, now)
        # Should the device come back, what is still in the list then is news.
        self._over = {mrid: old for mrid, old in self._over.items() if old.control.program in self._programs}
        self._catch_up(now)

    def take_default(self, program: int, default: Default) -> None:
        """Take what holds in this program when no control does."""
        self._defaults[program] = default

    def lacks(self, program: int, listed: Collection[int], now: int) -> bool:
        """Whether a control that should still be in the list of this program is not."""
        of_program = (booking for booking in self._live.values() if booking.control.program == program)
        return any(b.control.mrid not in listed and self._end(b) > now + VANISHING_S for b in of_program)

    def take(self, program: int, controls: Sequence[Control], now: int) -> None:
        """Take the whole DERControlList of one program; an event that is no longer in it counts as cancelled."""
        if program not in self._programs:
            return
        listed = {control.mrid for control in controls}
        for control in controls:
            if control.mrid in self._live:
                self._follow(self._live[control.mrid], control, now)
            elif control.mrid not in self._over or self._says_more(control):
                self._receive(control, now)
        for booking in [*self._live.values()]:
            if booking.control.program == program and booking.control.mrid not in listed:
                self._vanish(booking, now)
        self._forget(program, listed, now)
        self._catch_up(now)

    def advance(self, now: int) -> None:
        """Start and end what is due by `now`, in the order of time."""
        while self._next is not None and self._next <= now:
            self._settle(self._next, now)

    def limits(self, now: int, set_max_w: float | None = None) -> Limits:
        """What holds at `now`: for each mode the strongest running control, else the default for it."""
        self.advance(now)
        known = [mrid for mrid in self._programs if mrid in self._defaults]
        defaults = known[:1] if self._whole_defaults else known
        said = (self._said(program, now, mrid in defaults) for mrid, program in self._programs.items())
        found = authority.effective(said, now)
        # Every mode is set by a control, or else by a default.
        modes = {
            mode: Setting(one.value, one.control or one.default or 0, one.program, one.control is None)
            for mode, one in found.items()
        }
        return Limits(modes, set_max_w)

    def copied(self) -> Self:
        """The same schedule to look ahead with: what it does as time passes changes nothing here."""
        other = copy(self)
        other._live = {mrid: replace(booking, lost={*booking.lost}) for mrid, booking in self._live.items()}
        other._over, other._owed = {}, []
        return other

    def _said(self, program: Program, now: int, with_default: bool) -> authority.Program:
        """One program as it is run: what has begun and not ended, less what others have taken of it."""
        running = [
            authority.Said(
                booking.control.mrid,
                booking.control.created,
                min(booking.begins, now),
                max(self._end(booking), now + 1),
                {mode: booking.control.modes[mode] for mode in booking.kept},
            )
            for booking in self._live.values()
            if booking.stage is Stage.RUNNING and booking.control.program == program.mrid
        ]
        default = self._defaults.get(program.mrid)
        if default is None or not with_default:
            return authority.Program(program.mrid, program.primacy, running)
        return authority.Program(program.mrid, program.primacy, running, default.modes, default.mrid)

    def owed(self) -> list[Owed]:
        """The responses owed since this was last asked, in order."""
        owed, self._owed = self._owed, []
        return owed

    def next_change(self) -> int | None:
        """When something starts or ends next, as far as is known."""
        return self._next

    def next_start(self) -> int | None:
        """When a control starts next; its status has to be looked at before that (2030.5 10.2.3.3)."""
        waiting = (b.begins for b in self._live.values() if b.stage is Stage.WAITING and not b.doomed)
        return min(waiting, default=None)

    def bookings(self) -> list[Booking]:
        """The controls that are not over, by their beginning."""
        return sorted(self._live.values(), key=lambda booking: booking.begins)

    def _says_more(self, control: Control) -> bool:
        """Whether a control that asked for nothing does now: servers can say percentages only of a known setMaxW."""
        return bool(control.modes) and not self._over[control.mrid].control.modes

    def _receive(self, control: Control, now: int) -> None:
        if not _concerns(control.category, self._category):
            return
        booking = self._live[control.mrid] = self._draw(control, now)
        if control.duration <= 0 or not control.modes:
            self._close(booking, Answer.REJECTED_INVALID, now)
        elif control.end <= now:
            is_withdrawn = control.status not in (Status.SCHEDULED, Status.ACTIVE)
            is_only_listed = now < control.latest_end + LISTED_S
            self._close(booking, None if is_withdrawn or is_only_listed else Answer.REJECTED_EXPIRED, now)
        else:
            self._owe(booking, Answer.RECEIVED, now)
            self._follow(booking, control, now)

    def _draw(self, control: Control, now: int) -> Booking:
        """Draw the random parts once; an event whose start has passed begins at once and ends when it would have."""
        early = control.start < now
        delay = 0 if early else _drawn(self._rng, control.randomize_start)
        end = control.end + delay + _drawn(self._rng, control.randomize_duration)
        return Booking(control, max(control.start + delay, now), end)

    def _follow(self, booking: Booking, control: Control, now: int) -> None:
        """Take the status of a known event; nothing else of it can change (10.2.3.3 c)."""
        booking.control = booking.control._replace(status=control.status)
        if control.status == Status.CANCELLED:
            self._close(booking, Answer.CANCELLED, now)
        elif control.status == Status.CANCELLED_RANDOMIZED and booking.cancel_at is None:
            widest = max(abs(control.randomize_start), abs(control.randomize_duration))
            delay = _drawn(self._rng, widest) if booking.stage is Stage.RUNNING else 0
            booking.cancel_at = now + delay

    def _vanish(self, booking: Booking, now: int) -> None:
        """End what was taken from its list before its time; should it come back, it is news."""
        if self._end(booking) <= now + VANISHING_S:
            return
        was_superseded = booking.control.status == Status.SUPERSEDED
        self._close(booking, Answer.SUPERSEDED if was_superseded else Answer.CANCELLED, now)
        del self._over[booking.control.mrid]

    def _forget(self, program: int, listed: set[int], now: int) -> None:
        """Drop what is over for good; what is still listed stays, or it would be taken for new."""
        for mrid, booking in [*self._over.items()]:
            is_gone = booking.control.program == program and mrid not in listed
            if is_gone and booking.own_end + VANISHING_S < now:
                del self._over[mrid]

    def _catch_up(self, now: int) -> None:
        """Go through what was due up to `now` as it is known by now, then compare what is new with what runs."""
        self._next = self._soonest()
        self.advance(now)
        self._settle(now, now)

    def _settle(self, at: int, now: int) -> None:
        """Bring every control to where it is at `at`: cancelled, completed, superseded, started, in this order."""
        for booking in [*self._live.values()]:
            if booking.cancel_at is not None and booking.cancel_at <= at:
                self._close(booking, Answer.CANCELLED, now)
            elif booking.stage is Stage.RUNNING and self._end(booking) <= at:
                self._close(
                    booking,
                    Answer.COMPLETED_WITHOUT_PARTICIPATION if booking.missed else Answer.COMPLETED,
                    now,
                )
        begun = [booking for booking in self._live.values() if booking.begins <= at and not booking.doomed]
        for booking in sorted(begun, key=self._strength):
            if booking.stage is not Stage.OVER:
                self._supersede(booking, now)
        self._bury_superseded(at, now)
        for booking in begun:
            if booking.stage is Stage.WAITING:
                self._start(booking, now)
        self._next = self._soonest()

    def _start(self, booking: Booking, now: int) -> None:
        booking.stage = Stage.RUNNING
        booking.missed = self._end(booking) <= now
        if not booking.missed:
            self._owe(booking, Answer.STARTED, now)

    def _supersede(self, winner: Booking, now: int) -> None:
        """Take from every weaker control that overlaps the modes that `winner` has begun to run, for good."""
        for loser in [*self._live.values()]:
            if self._overrules(winner, loser):
                loser.lost |= winner.kept & set(loser.control.modes)
                if not loser.kept:
                    self._close(loser, _superseded(winner, loser), now)

    def _bury_superseded(self, at: int, now: int) -> None:
        """Answer for what the server calls superseded once its successor has begun, or at once if none is known."""
        marked = [booking for booking in self._live.values() if booking.control.status == Status.SUPERSEDED]
        for booking in marked:
            of_program = (b for b in self._live.values() if b.control.program == booking.control.program)
            successors = (other for other in of_program if self._overrules(other, booking))
            if self._end(booking) <= at or not any(other.begins > at and not other.doomed for other in successors):
                self._close(booking, Answer.SUPERSEDED, now)

    def _overrules(self, winner: Booking, loser: Booking) -> bool:
        new, old = winner.control, loser.control
        return (
            new.start < old.end
            and old.start < new.end
            and self._strength(winner) < self._strength(loser)
            and not winner.kept.isdisjoint(old.modes)
        )

    def _strength(self, booking: Booking) -> tuple[int, int, int]:
        """The smallest wins: lower primacy, then later creationTime, then the order of the list (10.2.3.3 f, n)."""
        control = booking.control
        return authority.strength(self._programs[control.program].primacy, control.mrid, control.created)

    def _end(self, booking: Booking) -> int:
        """The effective end: of two controls back to back, the first ends as the second begins, whatever was drawn."""
        for other in self._live.values():
            if other.control.start == booking.control.end and not other.kept.isdisjoint(booking.kept):
                return booking.own_end if other.doomed else other.begins
        return booking.own_end

    def _soonest(self) -> int | None:
        return min((self._moment(booking) for booking in self._live.values()), default=None)

    def _moment(self, booking: Booking) -> int:
        """When the next thing happens to a control."""
        is_waiting = booking.stage is Stage.WAITING and not booking.doomed
        moment = booking.begins if is_waiting else self._end(booking)
        return moment if booking.cancel_at is None else min(moment, booking.cancel_at)

    def _close(self, booking: Booking, answer: Answer | None, now: int) -> None:
        booking.stage = Stage.OVER
        self._over[booking.control.mrid] = self._live.pop(booking.control.mrid)
        if answer is not None:
            self._owe(booking, answer, now)

    def _owe(self, booking: Booking, answer: Answer, now: int) -> None:
        bit = 1 if answer is Answer.RECEIVED else 2
        if booking.control.reply_to and booking.control.response_required & bit:
            self._owed.append(Owed(booking.control, answer, now))


def _concerns(category: int | None, own: int | None) -> bool:
    return category is None or own is None or bool(category & own)


def _drawn(rng: Random, bound: int) -> int:
    """A second between 0 and a bound of either sign (10.2.4.2.2); nothing is drawn for 0."""
    return rng.randint(min(0, bound), max(0, bound)) if bound else 0


def _superseded(winner: Booking, loser: Booking) -> Answer:
    same = winner.control.program == loser.control.program
    return Answer.SUPERSEDED if same else Answer.ABORTED_BY_OTHER_PROGRAM
