"""A day of rounds of the engine, during which an operator overrules envelopes at random moments."""

from random import Random

from sep2.operations.in_force import holdings
from sep2.operations.overrides import NewOverride, OverrideLoosens, OverrideOver, Terms, send
from sep2.operations.releasing import release
from sep2.rules.limits import Limits
from sep2.store import connections, controls, groups
from sep2.store.controls import Seen
from tests.envelope.cases import START, STEP_S

EXPORT = "opModExpLimW"


class Day:
    """Rounds at every step; between them overrides come, go and are released."""

    def __init__(self, database, rounds, problem, seed):
        self.database, self.rounds, self.problem, self.dice = database, rounds, problem, Random(seed)
        self.standing: list[tuple[int, str, int, int]] = []
        """id, connection, watts and end of each override that has not been released"""
        self.checked = 0

    async def play(self, steps):
        for step in range(steps):
            now = START + step * STEP_S
            outcome = await self.rounds.run_once(now)
            assert outcome.failure == ""
            await self.look(now)
            for at in sorted(self.dice.sample(range(1, STEP_S), 3)):
                await self.act(now + at)
                await self.look(now + at)

    async def act(self, now):
        name = self.dice.choice(self.problem.connection_id)
        if self.standing and self.dice.random() < 0.3:
            number, *_ = self.standing.pop(self.dice.randrange(len(self.standing)))
            try:
                async with self.database.write() as db:
                    await release(db, number, now)
            except OverrideOver:
                pass
            return
        watts, end = self.dice.choice([0, 300, 1200]), now + self.dice.randrange(60, 5 * STEP_S)
        try:
            async with self.database.write() as db:
                place = await connections.by_name(db, name)
                new = NewOverride(
                    scope="connection", subject=name, subject_id=place.id, limits=Limits(export_w=watts), start=now,
                    end=end, reason="test",
                )  # fmt: skip
                self.standing.append(((await send(db, new, now, Terms())).id, name, watts, end))
        except OverrideLoosens:
            pass

    async def look(self, now):
        """After every round and every act: overrides hold, and where none does, the envelope of the last round."""
        self.standing = [one for one in self.standing if one[3] > now]
        schedule = self.rounds.verified.schedule
        step = max(int((now - int(schedule.step_start[0])) // STEP_S), 0)
        async with self.database.read() as db:
            for column, name in enumerate(self.problem.connection_id):
                place = await connections.by_name(db, name)
                (device,) = await groups.member_ids(db, place.device_group_id)
                found = (await holdings(db, device, Seen(now)))[EXPORT]
                over = [one for one in self.standing if one[1] == name]
                if over:
                    newest = max(over)
                    assert found.value <= newest[2], (name, now)
                    row = await self._row(db, device, found.control, now)
                    assert row.source == "override", (name, now, row.source)
                else:
                    assert found.value <= int(schedule.export_limit_w[min(step, schedule.steps - 1), column])
                    row = await self._row(db, device, found.control, now)
                    assert row.source == "envelope", (name, now, row.source)
                self.checked += 1

    async def _row(self, db, device, mrid, now):
        return next(row for row in await controls.standing_for(db, device, now) if int(row.mrid, 16) == mrid)
