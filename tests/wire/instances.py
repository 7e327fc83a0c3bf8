"""Made-up objects of any class: every value that its declaration allows, and no other."""

from functools import cache
from typing import Any

from hypothesis import strategies as st

from sep2 import wire as w
from sep2.wire.declare import Field
from sep2.wire.types import Simple

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda c: c >= " " or c in "\t\n\r"
)
URI = st.text("/abcdefghijklmnopqrstuvwxyz0123456789-._~?&=;+,é", max_size=30).map(lambda path: f"/{path}")
CARRIED = (w.DERControl, w.DERControlList, w.EndDevice, w.DERStatus, w.Time, w.Reading)
"""What notifications and lists of any class hold in these tests."""


def instances(cls: type[Any], profile: w.Profile) -> st.SearchStrategy[Any]:
    """Objects of a class that a document of the profile can say."""
    return _instances(cls.__name__, profile)


@cache
def _instances(name: str, profile: w.Profile) -> st.SearchStrategy[Any]:
    cls = w.WIRE[name]
    facts = w.layout(cls)
    fields = [f for f in (*facts.attributes, *facts.elements) if f.within(profile) and not f.mark.counted]
    return st.fixed_dictionaries({f.name: _values(f, profile) for f in fields}).map(lambda said: cls(**said))


def _values(field: Field, profile: w.Profile) -> st.SearchStrategy[Any]:
    one = simple_values(field.simple) if field.simple else _held(field, profile)
    if field.many:
        return st.lists(one, min_size=field.least, max_size=min(field.most or 3, 3))
    return one if field.required(profile) else st.none() | one


def _held(field: Field, profile: w.Profile) -> st.SearchStrategy[Any]:
    assert field.holds
    if not field.mark.xsi:
        return instances(field.holds, profile)
    choices = [c for c in (*CARRIED, *w.WIRE.values()) if issubclass(c, field.holds) and w.layout(c).within(profile)]
    few = [c for c in choices if c in CARRIED] if field.holds is w.Resource else choices
    return st.sampled_from(few).flatmap(lambda cls: instances(cls, profile))


def simple_values(simple: Simple) -> st.SearchStrategy[Any]:
    """Values of a simple type."""
    match simple.kind:
        case "boolean":
            return st.booleans()
        case "integer":
            numbers = st.integers(simple.low, simple.high)
            return st.sampled_from(list(simple.codes)) | numbers if simple.codes else numbers
        case "hex":
            lengths = st.just(simple.octets) if simple.full else st.integers(1, simple.octets)
            return lengths.flatmap(lambda n: st.binary(min_size=n, max_size=n)).map(lambda raw: w.HexBinary(raw.hex()))
        case "uri":
            return URI
    return st.text(LETTERS, max_size=simple.limit or 60).map(lambda text: _cut(text, simple.limit or 60))


def _cut(text: str, octets: int) -> str:
    return text.encode()[:octets].decode(errors="ignore")
