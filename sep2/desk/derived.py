"""Forms of changes that the desk has no form of its own for: each follows from the type of what the change takes."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from re import findall
from typing import Any

from msgspec import NODEFAULT, Struct, UnsetType, inspect

from sep2.admin import controls, overrides
from sep2.admin.table import routes
from sep2.admin.types.bulk import SheetOfRows
from sep2.desk.forms import FORMS, Field, Form
from sep2.rest.route import Handler, Route

LATEST_TIME = 1 << 40
"""The bound of fields that are times, as seconds since 1970."""
SECONDS = ("duration", "spread", "overlap", "seconds", "post_rate")
GRADIENTS = ("set_grad_w", "set_soft_grad_w")
"""Not in watts, but in hundredths of a percent of the rating a second."""
PAGES: Mapping[Handler, str] = {
    overrides.send_override: "/desk/override",
    overrides.release_override: "/desk/overrides",
    controls.send_to_connection: "/desk/control",
    controls.cancel_control: "/desk/controls",
}
"""Changes that have a page of their own."""
HIDDEN = ("digest",)
"""Fields that say what was seen; the desk looks again by itself before it sends."""


@cache
def forms() -> Mapping[str, Form]:
    """Every form of the desk by the name in its address: those written for people, then those derived."""
    written: dict[Handler, list[str]] = {}
    for name, form in FORMS.items():
        written.setdefault(form.handler, []).append(name)
    found = dict(FORMS)
    for names in written.values():
        found[names[0]] = _completed(FORMS[names[0]], [field.name for name in names for field in FORMS[name].fields])
    rest = [route for route in routes() if route.changes and route.handler not in written.keys() | PAGES.keys()]
    return found | {route.verb.replace("_", "-"): form_of(route) for route in rest}


def _completed(form: Form, said: Sequence[str]) -> Form:
    """A written form with the fields of its body that neither it nor another form of the same change asks for."""
    rest = [one for one in fields_of(inspect.type_info(form.body)) if one.name not in said]
    return form._replace(fields=(*form.fields, *rest))


def where(route: Route) -> str:
    """The page on which a change can be made."""
    own = PAGES.get(route.handler)
    named = (f"/desk/change?form={name}" for name, form in forms().items() if form.handler is route.handler)
    return own or next(named)


def form_of(route: Route) -> Form:
    """The form of a change: what its path names, then what its body takes."""
    first, *more = [*findall(r"{(\w+)}", route.path), ""]
    named = [Field(name, words(name), "path", required=True) for name in more if name]
    fields = () if not issubclass(route.asked, Struct) else tuple(fields_of(inspect.type_info(route.asked)))
    title = words(route.verb)
    # What an import answers is of each row: it is read where it was sent.
    then = "" if any(field.kind == "sheet" for field in fields) else "/desk/changes"
    return Form(title, route.handler, route.asked, first, (*named, *fields), then, route.summary)


def fields_of(kind: inspect.Type, under: str = "", *, needed: bool = True) -> Iterator[Field]:
    """The fields of a body; those of a part of it are named with the part before them."""
    assert isinstance(kind, inspect.StructType)
    for one in kind.fields:
        if one.name in HIDDEN:
            continue
        is_needed = needed and one.required
        inner = _without_none(one.type)
        if isinstance(inner, inspect.StructType) and inner.cls is SheetOfRows:
            yield Field(under + one.encode_name, words(one.name), "sheet", (), "a CSV file", is_needed)
        elif isinstance(inner, inspect.StructType):
            yield from fields_of(inner, f"{under}{one.encode_name}.", needed=is_needed)
        else:
            yield _field(under + one.encode_name, inner, one, is_needed=is_needed)


def words(name: str) -> str:
    """A name of the code as a label."""
    said = name.removesuffix("_w").replace("_", " ").replace(".", ", ")
    return said[:1].upper() + said[1:]


def _without_none(kind: inspect.Type) -> inspect.Type:
    """What a field holds where it holds anything."""
    if isinstance(kind, inspect.UnionType):
        rest = [one for one in kind.types if not isinstance(one, inspect.NoneType) and not _is_unset(one)]
        return _without_none(rest[0]) if len(rest) == 1 else kind
    return kind


def _is_unset(kind: inspect.Type) -> bool:
    return (isinstance(kind, inspect.CustomType) and kind.cls is UnsetType) or type(kind).__name__ == "UnsetType"


def _field(name: str, kind: inspect.Type, one: inspect.Field, *, is_needed: bool) -> Field:
    label = words(name)
    if isinstance(kind, inspect.BoolType):
        if one.default is NODEFAULT or one.default is None or not isinstance(one.default, bool):
            return Field(name, label, "choice", ("", "yes", "no"), "empty: as it is", is_needed)
        return Field(name, label, "check", start="true" if one.default else "")
    options = _options(kind)
    if options:
        return Field(name, label, "choice", options if is_needed else ("", *options), required=is_needed)
    said, hint = _plain(name, kind)
    return Field(name, label, said, (), hint, is_needed)


def _options(kind: inspect.Type) -> tuple[str, ...]:
    if isinstance(kind, inspect.LiteralType):
        return tuple(str(value) for value in kind.values)
    if isinstance(kind, inspect.EnumType):
        return tuple(str(value.value) for value in kind.cls)
    return ()


def _plain(name: str, kind: inspect.Type) -> tuple[str, str]:
    """What a field is filled with, and a hint."""
    last = name.rpartition(".")[2]
    tests: tuple[tuple[bool, str, str], ...] = (
        (last == "password", "password", "at least 12 characters"),
        (_is_number(kind) and last.endswith("_w") and last not in GRADIENTS, "power", ""),
        (isinstance(kind, inspect.IntType) and kind.le == LATEST_TIME, "time", "such as 18:00 or 2026-01-31 14:30"),
        (_is_number(kind) and last in SECONDS, "number", "seconds"),
        (_is_number(kind), "number", ""),
        (isinstance(kind, inspect.StrType), "text", ""),
        (_is_list_of_names(kind), "names", "separated by commas"),
    )
    return next(((said, hint) for holds, said, hint in tests if holds), ("json", "as JSON"))


def _is_number(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.IntType | inspect.FloatType)


def _is_list_of_names(kind: inspect.Type) -> bool:
    simple = inspect.StrType | inspect.EnumType | inspect.LiteralType | inspect.IntType
    return isinstance(kind, inspect.ListType) and isinstance(kind.item_type, simple)


def listed() -> list[dict[str, Any]]:
    """Every change that an operator can make, by what it is of: its name, role, and the page where it is made."""
    found = []
    for route in routes():
        if route.changes:
            of = next(part for part in route.path.split("/")[1:] if part not in ("x", "market"))
            found.append({"of": of, "title": words(route.verb), "route": route, "where": where(route)})
    return sorted(found, key=lambda one: (one["of"], one["title"]))
