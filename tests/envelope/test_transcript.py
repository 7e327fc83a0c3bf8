"""What publication writes does not change unless it is meant to, and takes no more statements than before."""

import json

from tests.envelope import transcript as recording

RECORDED = json.loads(recording.RECORDED.read_text())


async def test_publication_writes_what_is_recorded_in_no_more_statements(database):
    found, statements = await recording.transcript(database)
    assert found.keys() == RECORDED["transcript"].keys()
    for name, expected in RECORDED["transcript"].items():
        assert found[name] == expected, name
    assert {name: count for name, count in statements.items() if count > RECORDED["statements"][name]} == {}
