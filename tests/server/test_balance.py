"""What a transformer's own meter says beside the meters of its connections, as operators are shown it."""

from pathlib import Path

import pytest

from tests.server.conftest import Settled
from tests.server.meters import W, mirror, post, read, reading_type
from tests.server.operator import operating
from tests.server.world import NOW, People

AT = NOW // 1800 * 1800
OWN = {"kind": "scada", "place": "transformer TX1", "quantity": "net_w", "start": AT, "duration_s": 1800}


@pytest.mark.parametrize(("own_w", "missing", "is_plausible"), [(5200.0, 3.8, True), (9000.0, 44.4, False)])
async def test_what_is_not_at_the_connections_is_told_and_whether_losses_explain_it(
    people: People, on_sqlite: Settled, tmp_path: Path, own_w: float, missing: float, is_plausible: bool
) -> None:
    measurements = {"folder": str(tmp_path / "measurements")}
    async with operating(people, on_sqlite, tmp_path, measurements=measurements) as desk:
        world, operator = desk
        await operator.change("POST", "/places", {"kind": "transformer", "name": "TX1"})
        await operator.change("POST", "/places/TX1/connections", {"connections": ["NMI1", "NMI2"]})
        sunny = await world.as_("sunny")
        for name, number, watts in (("one", "0A01", 2000), ("two", "0A02", 3000)):
            at = await mirror(sunny, world.ids.lfdis[name], number, types={"0C01": reading_type(W)})
            sign = f"/mirrors/{at.rpartition('/')[2]}/reading-sign"
            await operator.change("PUT", sign, {"reading_sign": "as-posted"})
            await post(sunny, at, "0C01", read(number, AT, [(1800, watts)]))
            found = await operator.get("/x/envelope/balance", place="TX1")
            assert found["own_w"] is None
        world.advance(AT + 3600)
        assert (await operator.get("/x/envelope/balance", place="TX1"))["connections_w"] == 5000
        await operator.change("POST", "/measurements", {"measurements": [OWN | {"value": own_w}]})
        found = await operator.get("/x/envelope/balance", place="TX1")
        assert (found["since"], found["connections"], found["metered"]) == (AT, 2, 2)
        assert (found["own_w"], found["missing_percent"], found["is_plausible"]) == (own_w, missing, is_plausible)
        status, answer = await operator.ask("GET", "/x/envelope/balance?place=TX9")
        assert (status, answer["code"]) == (404, "unknown_place")
