"""The codec against a million spoiled documents, and against objects nobody thought of."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sep2 import wire as w
from sep2.wire.xsd import findings
from tests.trials.figures import record
from tests.wire.instances import instances
from tests.wire.spoil import survive

ROUNDS, EACH, EXAMPLES = 100, 10_000, 60
MANY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def test_a_million_spoiled_documents() -> None:
    read = 0
    for _ in range(ROUNDS):
        seed = random.SystemRandom().getrandbits(48)
        chance = random.Random(seed)
        try:
            read += sum(survive(chance) for _ in range(EACH))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
    record(
        "Spoiled documents",
        "Valid documents of every kind, changed at random as bytes or as trees, in every profile, ordered or not, with "
        "extensions or without: each is read, and then written and read again as the same, or refused in one line.",
        [("documents", f"{ROUNDS * EACH:,}"), ("read", f"{read:,}"), ("refused", f"{ROUNDS * EACH - read:,}")],
    )


@pytest.mark.parametrize("name", sorted(w.WIRE))
@MANY
@given(data=st.data())
def test_objects_of_every_class(name: str, data: st.DataObject) -> None:
    cls: type[Any] = w.WIRE[name]
    profile = data.draw(st.sampled_from([p for p in w.Profile if w.layout(cls).within(p)]))
    sent = data.draw(instances(cls, profile))
    document = w.encode(sent, profile)
    assert findings(document, profile) == []
    assert w.decode(document, cls, profile=profile, extensions=False) == sent
