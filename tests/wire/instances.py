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


def instances(cls: type[Any], profile: w.Profile, *, extreme: bool = False) -> st.SearchStrategy[Any]:
    """Objects of a class that a document of the profile can say; extreme: with values at the ends of their types."""
    return _instances(cls.__name__, profile, extreme)


@cache
def _instances(name: str, profile: w.Profile, extreme: bool) -> st.SearchStrategy[Any]:
    cls = w.WIRE[name]
    facts = w.layout(cls)
    fields = [f for f in (*facts.attributes, *facts.elements) if f.within(profile) and not f.mark.counted]
    return st.fixed_dictionaries({f.name: _values(f, profile, extreme) for f in fields}).map(lambda said: cls(**said))


def _values(field: Field, profile: w.Profile, extreme: bool) -> st.SearchStrategy[Any]:
    of_simple = extreme_values if extreme else simple_values
    one = of_simple(field.simple) if field.simple else _held(field, profile, extreme)
    if field.many:
        return st.lists(one, min_size=field.least, max_size=min(field.most or 3, 3))
    return one if field.required(profile) else st.none() | one


def _held(field: Field, profile: w.Profile, extreme: bool) -> st.SearchStrategy[Any]:
    assert field.holds
    if not field.mark.xsi:
        return instances(field.holds, profile, extreme=extreme)
    choices = [c for c in (*CARRIED, *w.WIRE.values()) if issubclass(c, field.holds) and w.layout(c).within(profile)]
    few = [c for c in choices if c in CARRIED] if field.holds is w.Resource else choices
    return st.sampled_from(few).flatmap(lambda cls: instances(cls, profile, extreme=extreme))


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


def extreme_values(simple: Simple) -> st.SearchStrategy[Any]:
    """Values at the ends of a simple type: the least and the largest, the empty and the full."""
    match simple.kind:
        case "integer":
            ends = {simple.low, simple.low + 1, 0, 1, simple.high - 1, simple.high}
            return st.sampled_from(sorted(n for n in ends if simple.low <= n <= simple.high))
        case "hex":
            lengths = [simple.octets] if simple.full else [0, 1, simple.octets]
            digits = [digit * 2 * length for length in lengths for digit in "0F7"]
            return st.sampled_from([w.HexBinary(said) for said in digits])
        case "text":
            most = simple.limit or 60
            whole = (
                "",
                " ",
                "x" * most,
                "é" * (most // 2),
                "𝄞" * (most // 4),
                "\t\n\r",
                "]]>",
                "<&\"'",
                "\x85\u2028",
                "%s",
            )
            return st.sampled_from([_cut(text, most) for text in whole])
    return simple_values(simple)


def _cut(text: str, octets: int) -> str:
    return text.encode()[:octets].decode(errors="ignore")
