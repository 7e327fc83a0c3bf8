"""What `check` refuses can not be encoded, and what can not be encoded `check` refuses: odd values in every place."""

import copy
import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from sep2 import wire as w
from tests.wire import samples
from tests.wire.spoil import SAMPLES

ODD = [None, -1, 300, 70_000, 1 << 70, 1.5, 1e400, True, object(), [], (), [5], b"x", "a\tb", "é" * 20, "x" * 500]
ODD += ["\x00", "\ud800", w.HexBinary(1 << 150, 20), w.HexBinary("00000001"), w.HexBinary(""), w.DERType.EVSE]
ODD += [samples.LIMITS, [samples.LIMITS]]


def parts(value: Any) -> Iterator[Any]:
    """The object and every object in it."""
    yield value
    for field in fields(value):
        inside = getattr(value, field.name)
        for item in inside if isinstance(inside, list) else [inside]:
            if is_dataclass(item):
                yield from parts(item)


def refusal(call: Any, *arguments: Any) -> str:
    try:
        call(*arguments)
    except w.WireError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(8))
def test_encoding_and_checking_agree(seed: int) -> None:
    chance = random.Random(seed)
    refused = 0
    for _ in range(400):
        sample = copy.deepcopy(chance.choice(SAMPLES))
        profile = chance.choice(list(w.Profile))
        part = chance.choice(list(parts(sample)))
        field = chance.choice(fields(part))
        odd = chance.choice(ODD)
        setattr(part, field.name, odd)
        said = refusal(w.check, sample, profile)
        assert refusal(w.encode, sample, profile) == said, (type(part), field.name, odd)
        refused += bool(said)
    assert 100 < refused < 400
