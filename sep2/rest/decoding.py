"""Bodies and queries as the types that routes ask for; what does not fit is refused with its field."""

import re
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec
from aiohttp import web

from sep2.errors import BadRequest, NotFound
from sep2.rest.types import WORDS, ChangeQuery, SecondedQuery

CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f]")


class WrongBody(BadRequest):
    """The request does not say what this route asks for."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.field = field


def query(http: web.Request, kind: Any) -> Any:
    """The query in its type."""
    return _decoded(lambda: msgspec.convert(dict(http.query), kind, strict=False))


def how(http: web.Request, *, seconded: bool) -> SecondedQuery:
    """Whether a change is only to be tried or, where a second person may have to agree to it, only prepared."""
    found: ChangeQuery = query(http, SecondedQuery if seconded else ChangeQuery)
    return found if isinstance(found, SecondedQuery) else SecondedQuery(dry_run=found.dry_run)


def body(said: bytes, kind: Any) -> Any:
    """The JSON body of a change in its type; nothing stands for an object without fields."""
    said = said or b"{}"
    asked = _decoded(lambda: msgspec.json.decode(said, type=kind))
    if b"\\u0000" in said:  # PostgreSQL can not store it, SQLite could
        raise WrongBody("text with a NUL character")
    return asked


def ids(http: web.Request) -> dict[str, str]:
    """The parts of the path that name something."""
    found = dict(http.match_info)
    if any(CONTROL_CHARACTERS.search(value) for value in found.values()):
        raise NotFound
    return found


def _decoded(decode: Callable[[], Any]) -> Any:
    try:
        return decode()
    except msgspec.ValidationError as wrong:
        _refuse(wrong)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise WrongBody(str(wrong)) from None


def _refuse(wrong: msgspec.ValidationError) -> NoReturn:
    """msgspec's `Expected int - at $.controls[0].start` as a message and the field it is about."""
    what, _, where = str(wrong).replace("`", "").partition(" - at $")
    for pattern, words in WORDS.items():
        what = what.replace(f"str matching regex {pattern!r}", words)
    raise WrongBody(what, where.removeprefix(".")) from None
