"""Bodies and queries as the types that routes ask for; what does not fit is refused with its field."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import msgspec
from aiohttp import web
from msgspec import inspect

from sep2.errors import BadRequest, NotFound
from sep2.rest.types import WORDS, ChangeQuery, SecondedQuery

NOT_LISTED = "Invalid enum value"
"""How msgspec begins what it says of a value that is none of those listed."""
CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f]")


class WrongBody(BadRequest):
    """The request does not say what this route asks for."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.field = field


def query(http: web.Request, kind: Any) -> Any:
    """The query in its type."""
    return values(http.query, kind)


def values(said: Mapping[str, str], kind: Any) -> Any:
    """Values of a query in their type."""
    return _decoded(lambda: msgspec.convert(dict(said), kind, strict=False), kind)


def how(http: web.Request, *, seconded: bool) -> SecondedQuery:
    """Whether a change is only to be tried or, where a second person may have to agree to it, only prepared."""
    found: ChangeQuery = query(http, SecondedQuery if seconded else ChangeQuery)
    return found if isinstance(found, SecondedQuery) else SecondedQuery(dry_run=found.dry_run)


def body(said: bytes, kind: Any) -> Any:
    """The JSON body of a change in its type; nothing stands for an object without fields."""
    said = said or b"{}"
    asked = _decoded(lambda: msgspec.json.decode(said, type=kind), kind)
    if b"\\u0000" in said:  # PostgreSQL can not store it, SQLite could
        raise WrongBody("text with a NUL character")
    return asked


def ids(http: web.Request) -> dict[str, str]:
    """The parts of the path that name something."""
    found = dict(http.match_info)
    if any(CONTROL_CHARACTERS.search(value) for value in found.values()):
        raise NotFound
    return found


def _decoded(decode: Callable[[], Any], kind: Any) -> Any:
    try:
        return decode()
    except msgspec.ValidationError as wrong:
        _refuse(wrong, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise WrongBody(str(wrong)) from None


def _refuse(wrong: msgspec.ValidationError, kind: Any) -> NoReturn:
    """msgspec's `Expected int - at $.controls[0].start` as a message and the field it is about."""
    what, _, where = str(wrong).replace("`", "").partition(" - at $")
    for pattern, words in WORDS.items():
        what = what.replace(f"str matching regex {pattern!r}", words)
    if what.startswith(NOT_LISTED) and (allowed := sorted(_allowed(inspect.type_info(kind), where))):
        what = f"{what.removeprefix(NOT_LISTED).strip()} is none of {', '.join(allowed)}"
    raise WrongBody(what, where.removeprefix(".")) from None


def _allowed(kind: inspect.Type, where: str) -> set[str]:
    """The values that may stand at a place in a type, such as `.controls[0].scope`, where they are listed."""
    found = [kind]
    for field, inside in re.findall(r"\.([^.\[\]]+)|(\[[^\]]*\])", where):
        found = [below for one in found for below in _below(one, field, is_inside=bool(inside))]
    return {str(value) for one in found for value in _listed(one)}


def _below(kind: inspect.Type, field: str, *, is_inside: bool) -> list[inspect.Type]:
    """The types of a field of a type, or of what a list or a mapping holds."""
    match kind:
        case inspect.UnionType():
            return [below for one in kind.types for below in _below(one, field, is_inside=is_inside)]
        case inspect.StructType() if not is_inside:
            return [one.type for one in kind.fields if one.encode_name == field]
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() if is_inside:
            return [kind.item_type]
        case inspect.DictType() if is_inside:
            return [kind.value_type]
    return []


def _listed(kind: inspect.Type) -> list[Any]:
    match kind:
        case inspect.UnionType():
            return [value for one in kind.types for value in _listed(one)]
        case inspect.LiteralType():
            return list(kind.values)
        case inspect.EnumType():
            return [one.value for one in kind.cls]
    return []
