"""E-mail about alarms: to whom it goes, and what it says."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from sep2.errors import BadValue

SCHEME = "mailto:"
MOST = 20
"""Addresses of one receiver."""
LONGEST_SUBJECT = 120
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*", re.ASCII)
_HEADS = {"raised": "", "cleared": "over: ", "escalated": "nobody sees to it: ", "digest": "", "test": "test: "}


class BadAddress(BadValue):
    """That is no e-mail address."""


def is_mail(url: str) -> bool:
    """Whether a receiver is told by e-mail."""
    return url.lower().startswith(SCHEME)


def addresses(url: str) -> list[str]:
    """The addresses of mailto:ada@example.com,joe@example.com; header fields beside them are refused."""
    found = [unquote(one.strip()) for one in url[len(SCHEME) :].split(",")]
    for one in found:
        if _ADDRESS.fullmatch(one) is None:
            raise BadAddress(f"url: {one[:80]!r}; write mailto:NAME@HOST")
    if len(found) > MOST:
        raise BadAddress(f"url: {len(found)} addresses, and {MOST} at most")
    return found


def subject_of(said: Sequence[Mapping[str, Any]]) -> str:
    """The subject line of a mail about some messages: the alarm, or how many there are."""
    first = said[0]
    data = first.get("data") or {}
    if len(said) == 1 and "code" in data:
        line = f"{_HEADS[first['kind']]}priority {data['priority']}, {data['name']}: {data['meaning'] or data['code']}"
    elif len(said) == 1:
        line = f"{first['kind']}: {_summed(data)}" if "codes" in data else f"{_HEADS.get(first['kind'], '')}alarms"
    else:
        line = f"{len(said)} messages about alarms"
    return _one_line(line)[:LONGEST_SUBJECT]


def text_of(said: Sequence[tuple[Mapping[str, Any], str]]) -> str:
    """The text of a mail: each message, with the local time at which it was said."""
    return "\n\n".join(_paragraph(one, at) for one, at in said) + "\n"


def _paragraph(one: Mapping[str, Any], at: str) -> str:
    data = one.get("data") or {}
    if "codes" in data:
        return "\n".join([f"{at}: {_summed(data)}", *(f"  {_line(alarm)}" for alarm in data["alarms"])])
    if "code" not in data:
        return f"{at}: this is a test; alarms will come here."
    head = _HEADS.get(one["kind"], "")
    lines = [f"{at}: {head}{_line(data)}"]
    if one["kind"] != "cleared":
        lines += [f"What it means: {_one_line(data['meaning'])}.", f"What to do: {_one_line(data['do'])}"]
    return "\n".join(lines)


def _line(data: Mapping[str, Any]) -> str:
    count = f" ({data['count']})" if data["count"] > 1 else ""
    return _one_line(
        f"priority {data['priority']}, {data['code']}, {data['name']}{count}: {data['detail']} [alarm {data['id']}]"
    )


def _summed(data: Mapping[str, Any]) -> str:
    codes = ", ".join(f"{number} {code}" for code, number in data["codes"].items())
    return f"{data['raised']} alarms raised, {data['cleared']} over; {codes}"


def _one_line(text: str) -> str:
    """Without control characters, which a client may have chosen."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
