"""How a 2030.5 class is declared: one slotted dataclass, whose annotations are all that the codec knows."""

from __future__ import annotations

import dataclasses
import inspect
import operator
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum, IntFlag
from typing import Annotated, Any, TypeAlias, TypeVar, cast, dataclass_transform

from sep2.wire.hexbinary import HexBinary
from sep2.wire.profile import Profile
from sep2.wire.types import BOOLEAN, BUILT_IN, STRING, Simple, Unit

T = TypeVar("T")
E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class Mark:
    """What an annotation says about a field beyond its type."""

    attribute: bool = False
    default: str | None = None
    """What the absence of an attribute means."""
    counted: bool = False
    """Required on the wire and written by the encoder: the number of items."""
    xsi: bool = False
    """Items say their own type with xsi:type."""
    least: int | None = None
    most: int | None = None
    profiles: frozenset[Profile] | None = None
    """The profiles that have this field; None = all."""
    csipaus: bool = False
    """In the csipaus namespace of the profile."""
    required: bool = False
    """Required in the profiles that have it, though absent (None) in the others."""


AUS = frozenset({Profile.CSIP_AUS_1_2, Profile.CSIP_AUS_1_3})
AUS_1_3 = frozenset({Profile.CSIP_AUS_1_3})

Attr: TypeAlias = Annotated[T, Mark(attribute=True)]
Typed: TypeAlias = Annotated[T, Mark(xsi=True)]
Aus: TypeAlias = Annotated[T, Mark(profiles=AUS, csipaus=True)]
AusRequired: TypeAlias = Annotated[T, Mark(profiles=AUS, csipaus=True, required=True)]
Aus13: TypeAlias = Annotated[T, Mark(profiles=AUS_1_3, csipaus=True)]
Aus13Required: TypeAlias = Annotated[T, Mark(profiles=AUS_1_3, csipaus=True, required=True)]

WIRE: dict[str, type[Any]] = {}
"""Every declared class, by the name of its root element."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a decorator says of a class."""

    schema_name: str
    profiles: frozenset[Profile] | None = None
    """The profiles that have it, in their csipaus namespace; None = a class of the base schema."""
    rooted: bool = True
    """It has a root element of its own; otherwise its document is one of the base class that says xsi:type."""


_DECLARED: dict[type[Any], Declared] = {}


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def wire(cls: type[T]) -> type[T]:
    """Declare a class: attribute name = wire name, field order = schema order, no default = required."""
    return _declare(cls, Declared(cls.__name__))


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def wire_aus(
    schema_name: str, *, profiles: frozenset[Profile] = AUS, rooted: bool = True
) -> Callable[[type[T]], type[T]]:
    """Declare a class of the csipaus namespace, and the name of its type in that schema."""
    return lambda cls: _declare(cls, Declared(schema_name, profiles, rooted))


def _declare(cls: type[T], said: Declared) -> type[T]:
    made: Any
    if inspect.get_annotations(cls):
        made = dataclass(slots=True, kw_only=True, init=False, repr=False, eq=False)(cls)
        made.__init__, made.__eq__, made.__hash__, made.__repr__ = _first_init(made), _same, None, _shown
    else:  # nothing of its own: no second set of methods for the ninety link classes
        kept = {k: v for k, v in cls.__dict__.items() if k not in {"__dict__", "__weakref__"}}
        made = type(cls.__name__, cls.__bases__, {"__slots__": (), **kept})
    WIRE[cls.__name__] = made
    _DECLARED[made] = said
    return cast("type[T]", made)


def _first_init(cls: type[Any]) -> Callable[..., None]:
    """An `__init__` that writes the real one when the first object is made.

    Compiling two hundred of them would be half the time that importing this package takes.
    """

    def __init__(self: Any, **values: Any) -> None:
        cls.__init__ = _init(cls)
        self.__init__(**values)

    return __init__


def _init(cls: type[Any]) -> Callable[..., None]:
    fields = dataclasses.fields(cls)
    names: dict[str, Any] = {"ABSENT": dataclasses.MISSING}
    parameters, lines = [], []
    for f in fields:
        value = f.name
        if f.default_factory is list:
            parameters.append(f"{f.name}=ABSENT")
            value = f"[] if {f.name} is ABSENT else {f.name}"
        elif f.default is dataclasses.MISSING:
            parameters.append(f.name)
        else:
            names[f"default_{f.name}"] = f.default
            parameters.append(f"{f.name}=default_{f.name}")
        lines.append(f"  self.{f.name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("  self.__post_init__()")
    exec("\n".join([f"def __init__(self, *, {', '.join(parameters)}):", *lines]), names)  # noqa: S102 - ours alone
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


_VALUES: dict[type[Any], Callable[[Any], Any]] = {}


def _same(self: object, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    values = _VALUES.get(type(self))
    if values is None:
        values = _VALUES[type(self)] = operator.attrgetter(*[f.name for f in dataclasses.fields(cast("Any", self))])
    return values(self) == values(other)


def _shown(self: Any) -> str:
    """The call that makes it: only what is set."""
    told = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
    return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in told if v is not None and v != [])})"


def code(base: str, *, named: bool = True, profiles: frozenset[Profile] | None = None) -> Callable[[type[E]], type[E]]:
    """Declare a list of code numbers over a simple type; not `named`: the schema has only the base type there."""

    def declared(cls: type[E]) -> type[E]:
        facts = BUILT_IN[base]
        name, parent = (cls.__name__, facts.name) if named else (facts.name, facts.base)
        simple = dataclasses.replace(facts, name=name, base=parent, codes=cast("Any", cls), profiles=profiles)
        if named:
            BUILT_IN[name] = simple
        CODES[cls] = simple
        return cls

    return declared


CODES: dict[type[Enum], Simple] = {}
"""Every list of codes, and the simple type that carries it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One element or attribute of a class, as the codec sees it."""

    name: str
    simple: Simple | None
    """The facts of its simple type, or None where it holds a class."""
    holds: type[Any] | None
    many: bool
    least: int
    most: int | None
    mark: Mark

    @property
    def type_name(self) -> str:
        """The name of its type in the schema."""
        return self.simple.name if self.simple else layout(cast("type[Any]", self.holds)).schema_name

    def within(self, profile: Profile) -> bool:
        """The profile has this field."""
        return self.mark.profiles is None or profile in self.mark.profiles

    def required(self, profile: Profile) -> bool:
        """A document of this profile is not whole without it."""
        return self.within(profile) and (self.least > 0 or self.mark.required)


@dataclass(frozen=True, slots=True)
class Layout:
    """A class, flattened: base class first, in schema order."""

    cls: type[Any]
    name: str
    said: Declared
    base: type[Any] | None
    attributes: tuple[Field, ...]
    elements: tuple[Field, ...]
    own: frozenset[str]
    """The names it declares itself."""

    @property
    def schema_name(self) -> str:
        """The name of its type in the schema."""
        return self.said.schema_name

    @property
    def csipaus(self) -> bool:
        """It is a class of the csipaus namespace."""
        return self.said.profiles is not None

    def within(self, profile: Profile) -> bool:
        """The profile has this class."""
        return self.said.profiles is None or profile in self.said.profiles


_LAYOUTS: dict[type[Any], Layout] = {}


def layout(cls: type[Any]) -> Layout:
    """The facts of a declared class."""
    if cls not in _LAYOUTS:
        _LAYOUTS[cls] = _layout(cls)
    return _LAYOUTS[cls]


def _layout(cls: type[Any]) -> Layout:
    hints = typing.get_type_hints(cls, include_extras=True)
    base = cls.__bases__[0]
    inherited = {f.name for f in dataclasses.fields(base)} if base is not object else set()
    said = _DECLARED[cls]
    fields = [_field(f, hints[f.name]) for f in dataclasses.fields(cls)]
    if said.profiles:  # elements are qualified: what a csipaus class declares is in its namespace
        fields = [f if f.name in inherited else _of_csipaus(f) for f in fields]
    return Layout(
        cls=cls,
        name=cls.__name__,
        said=said,
        base=None if base is object else base,
        attributes=tuple(f for f in fields if f.mark.attribute),
        elements=tuple(f for f in fields if not f.mark.attribute),
        own=frozenset(f.name for f in fields if f.name not in inherited),
    )


def _of_csipaus(field: Field) -> Field:
    return dataclasses.replace(field, mark=dataclasses.replace(field.mark, csipaus=True))


def _field(declared: dataclasses.Field[Any], hint: Any) -> Field:
    marks: list[Any] = []
    kind, optional = _unwrapped(hint, marks)
    many = typing.get_origin(kind) is list
    if many:
        kind, _ = _unwrapped(typing.get_args(kind)[0], marks)
    mark = next((m for m in marks if isinstance(m, Mark)), Mark())
    simples = [m for m in marks if isinstance(m, Simple)]
    simple = simples[-1] if simples else _simple(kind)
    for unit in (m for m in marks if isinstance(m, Unit)):
        simple = dataclasses.replace(cast("Simple", simple), unit=unit.name)
    least, most = (0, None) if many else (0 if optional else 1, 1)
    return Field(
        name=declared.name,
        simple=simple,
        holds=None if simple else kind,
        many=many,
        least=least if mark.least is None else mark.least,
        most=most if mark.most is None else mark.most,
        mark=mark,
    )


def _unwrapped(hint: Any, marks: list[Any]) -> tuple[Any, bool]:
    """The type inside `Annotated` and `| None`, and whether None is allowed; what `Annotated` says goes to marks."""
    optional = False
    while True:
        if typing.get_origin(hint) is Annotated:
            hint, *said = typing.get_args(hint)
            marks += said
        elif typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint):
            optional = True
            rest = tuple(a for a in typing.get_args(hint) if a is not type(None))
            hint = rest[0] if len(rest) == 1 else typing.Union[rest]  # noqa: UP007
        else:
            return hint, optional


def _simple(kind: Any) -> Simple | None:
    """The facts of `bool`, `str`, `SomeCode | int` and `SomeBits | HexBinary`; None for a class."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        codes, plain = typing.get_args(kind)
        assert issubclass(codes, IntFlag if plain is HexBinary else IntEnum)
        return CODES[codes]
    return {bool: BOOLEAN, str: STRING}.get(kind)
