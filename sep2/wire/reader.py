"""Compiled readers: the children of an element are met in schema order, one comparison for each declared element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sep2.wire.classes import said_class
from sep2.wire.declare import Field, layout
from sep2.wire.failures import WireError
from sep2.wire.irregular import Irregular, leaf, local, refused
from sep2.wire.mode import Mode
from sep2.wire.parse import refuse_depth
from sep2.wire.profile import NAMESPACE
from sep2.wire.types import Simple
from sep2.wire.values import SMALL, blank, hexadecimal, text, truth

Read = Callable[..., Any]

_READERS: dict[tuple[type[Any], Mode], Read] = {}


def reader_of(cls: type[Any], mode: Mode) -> Read:
    """The reader of one class: from an lxml element to the object."""
    read = _READERS.get((cls, mode))
    if read is None:
        read = _READERS[cls, mode] = _Source(cls, mode).compiled()
    return read


class _End:
    """Stands after the last child."""

    tag = text = tail = None


_NEXT = ["if x.tail is not None: blank(x.tail, 'behind it')", "x = next(i, END); t = x.tag"]
_AGAIN = "x = END; return irregular.again(e, kids, read)"


class _Source:
    """The source of one reader, and the names it uses."""

    def __init__(self, cls: type[Any], mode: Mode) -> None:
        self.facts = layout(cls)
        self.mode = mode
        self.elements = [f for f in self.facts.elements if mode.knows(f)]
        self.items = next((f.name for f in self.facts.elements if f.many), None)
        self.names: dict[str, Any] = {
            **{"new": object.__new__, "cls": cls, "END": _End, "WireError": WireError, "local": local, "leaf": leaf},
            **{"blank": blank, "hexadecimal": hexadecimal, "truth": truth, "text": text, "refused": refused},
            "irregular": Irregular(self.facts, self.elements, mode),
            "FIELDS": {f.name: f for f in self.facts.elements},
        }

    def compiled(self) -> Read:
        """The function; `kids` are the children where they are not simply those of `e`."""
        body = ["if e.text is not None: blank(e.text, 'before its elements')", *self._attributes()]
        body += [f"o.{f.name} = {'[]' if f.many else None}" for f in self.facts.elements if f not in self.elements]
        body += ["i = iter(e[:] if kids is None else kids)", *_NEXT]
        for field in self.elements:
            body += self._element(field)
        body += [f"if x is not END: {_AGAIN}", *self._counts(), "return o"]
        source = [
            "def read(e, kids=None):",
            "  x = END; o = new(cls)",
            "  try:",
            *(f"    {line}" for line in body),
            "  except WireError as error:",
            "    if x is END: raise",
            "    raise error.under(local(x)) from None",
            "  except (ValueError, TypeError, KeyError):",
            "    if x is END: irregular.attribute(k, s)",
            "    raise refused(FIELDS[local(x)], x).under(local(x)) from None",
        ]
        exec("\n".join(source), self.names)  # noqa: S102 - made of our own declarations alone
        read: Read = self.names["read"]
        return read

    def _attributes(self) -> list[str]:
        if not self.facts.attributes:
            return ["if e.keys(): irregular.attributes(e)"]
        lines = [f"o.{f.name} = None" for f in self.facts.attributes] + ["for k, s in e.items():"]
        for number, field in enumerate(self.facts.attributes):
            lines += [f"  {'elif' if number else 'if'} k == '{field.name}':"]
            lines += [f"    {line}" for line in _said(field, self.names)]
        lines += ["  else: irregular.attributes(e)"]
        needed = [f for f in self.facts.attributes if f.least and f.name not in _COUNTS]
        return lines + [f"if o.{f.name} is None: irregular.missing('{f.name}')" for f in needed]

    def _counts(self) -> list[str]:
        # Lists without `all` and `results` are read: posted ones often lack them.
        size = f"len(o.{self.items})" if self.items else "0"
        counts = [f.name for f in self.facts.attributes if f.least and f.name in _COUNTS]
        return [f"if o.{name} is None: o.{name} = {size}" for name in counts]

    def _element(self, field: Field) -> list[str]:
        space = self.mode.csipaus if field.mark.csipaus else NAMESPACE
        meets = f"t == '{{{space}}}{field.name}'"
        if field.many:
            lines = ["v = []", f"while {meets}:", f"  v.append({self._held(field)})", *(f"  {n}" for n in _NEXT)]
            if field.most:
                misfit = f"x = END; irregular.count('{field.name}', v)"
                lines += [f"if not {field.least} <= len(v) <= {field.most}: {misfit}"]
            return [*lines, f"o.{field.name} = v"]
        taken = _simple(field, self.names) if field.simple else [f"o.{field.name} = {self._held(field)}"]
        absent = _AGAIN if field.required(self.mode.profile) else f"o.{field.name} = None"
        return [f"if {meets}:", *(f"  {line}" for line in [*taken, *_NEXT]), f"else: {absent}"]

    def _held(self, field: Field) -> str:
        """The expression that reads an element which holds a class."""
        cls = cast("type[Any]", field.holds)
        name = f"read_{cls.__name__}"
        self.names[name] = self._typed(cls) if field.mark.xsi else reader_of(cls, self.mode)
        return f"{name}(x)"

    def _typed(self, declared: type[Any]) -> Read:
        """Reads an element that says its own class."""

        def read(x: Any) -> Any:
            refuse_depth(x)
            return reader_of(said_class(x, declared), self.mode)(x)

        return read


_COUNTS = {"all", "results"}


def _simple(field: Field, names: dict[str, Any]) -> list[str]:
    """Statements that read an element of a simple type; they fail with ValueError, TypeError or KeyError."""
    return ["if len(x) or x.keys(): leaf(x)", "s = x.text", *_said(field, names)]


def _said(field: Field, names: dict[str, Any]) -> list[str]:
    """Statements that read the text `s` of an element or attribute."""
    simple = cast("Simple", field.simple)
    target = f"o.{field.name}"
    match simple.kind:
        case "integer":
            span = f"{simple.low} <= v <= {simple.high}"
            lines = ["v = int(s)", f"if not {span} or '_' in s or not s.isascii(): raise ValueError"]
            if simple.codes:
                names[f"codes_{field.name}"] = {int(member): member for member in simple.codes}.get
                return [*lines, f"{target} = codes_{field.name}(v, v)"]
            return [*lines, f"{target} = v"]
        case "hex":
            names |= {f"simple_{field.name}": simple, "small": SMALL.get}
            read = f"hexadecimal(s or '', simple_{field.name})"
            if simple.octets == 1:
                return [f"v = small(s); {target} = {read} if v is None else v"]
            return [f"{target} = {read}"]
        case "boolean":
            return [f"{target} = truth(s)"]
        case "uri":
            return [f"{target} = s.strip() if s else ''"]
    return [f"{target} = text(s, {simple.limit})"]
