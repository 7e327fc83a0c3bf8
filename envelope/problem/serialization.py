"""Values of our own types as JSON and arrays, and back: whatever a problem holds, field by field, nothing left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envelope.field_rules import UNSAID_BY_DEFAULT, BadProblem
from envelope.problem.problem import Problem

FILE_TYPES = {
    "Allocation": ("envelope.problem.policies", "Allocation"),
    "AsForecast": ("envelope.problem.reactive", "AsForecast"),
    "AutonomousResponse": ("envelope.problem.margins", "AutonomousResponse"),
    "BoxMargin": ("envelope.problem.margins", "BoxMargin"),
    "ChanceMargin": ("envelope.problem.margins", "ChanceMargin"),
    "ConstantVar": ("envelope.problem.reactive", "ConstantVar"),
    "Credit": ("envelope.problem.reactive", "Credit"),
    "CreditedResponse": ("envelope.problem.reactive", "CreditedResponse"),
    "Curve": ("gridmodel.flow.inverters", "Curve"),
    "Early": ("envelope.problem.policies", "TighteningLead"),
    "FixedPowerFactor": ("envelope.problem.reactive", "FixedPowerFactor"),
    "FreeVar": ("envelope.problem.reactive", "FreeVar"),
    "GroupLimit": ("envelope.problem.groups", "GroupLimit"),
    "Guarantee": ("envelope.problem.policies", "Guarantee"),
    "HeadVoltageMargin": ("envelope.problem.margins", "HeadVoltageMargin"),
    "ImpedanceMargin": ("envelope.problem.margins", "ImpedanceMargin"),
    "OperatingLimits": ("envelope.problem.limits", "OperatingLimits"),
    "Reference": ("envelope.problem.policies", "ShareReference"),
    "ScenarioMargin": ("envelope.problem.margins", "ScenarioMargin"),
    "Scenarios": ("envelope.problem.scenarios", "Scenarios"),
    "VoltageBand": ("envelope.problem.limits", "VoltageBand"),
    "VoltVar": ("envelope.problem.reactive", "VoltVar"),
    "VoltWatt": ("envelope.problem.reactive", "VoltWatt"),
    "VoltageCriterion": ("envelope.problem.limits", "VoltageCriterion"),
}
"""types that a file may hold, by their names there: the module and the name of each, which may change"""
NAME_IN_FILES = {where: name for name, where in FILE_TYPES.items()}
EARLIER = ("in_force_import_w", "in_force_export_w", "in_force_until")
"""fields of a problem that say what an earlier run has left behind"""
Arrays = dict[str, NDArray[Any]]


def to_plain(value: Any, arrays: Arrays, name: str) -> Any:
    """`value` as what JSON can say; its arrays are put into `arrays` under names that begin with `name`."""
    if isinstance(value, Enum):
        return {"one_of": _name(value, name), "value": value.value}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        arrays[name] = value
        return {"array": name}
    if is_dataclass(value) and not isinstance(value, type):
        said = {
            f.name: to_plain(getattr(value, f.name), arrays, f"{name}.{f.name}")
            for f in fields(value)
            if f.init and not is_unsaid(f, getattr(value, f.name))
        }
        return {"made": _name(value, name), "of": said}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {"made": _name(value, name), "of": _packed(value._asdict(), arrays, name)}
    if isinstance(value, Mapping):
        return {"mapping": _packed(value, arrays, name)}
    if isinstance(value, Sequence):
        return [to_plain(one, arrays, f"{name}.{k}") for k, one in enumerate(value)]
    raise BadProblem(f"{name}: a {type(value).__name__} can not be kept in a file")


def is_unsaid(field: Field[Any], value: Any) -> bool:
    """Whether a field is left out because it holds its default and is newer than files that were saved without it."""
    if not UNSAID_BY_DEFAULT.items() <= field.metadata.items():
        return False
    return value is field.default or (not isinstance(value, np.ndarray) and bool(value == field.default))


def from_plain(said: Any, arrays: Arrays) -> Any:
    """The value that was packed; a sequence comes back as a tuple."""
    if isinstance(said, list):
        return tuple(from_plain(one, arrays) for one in said)
    if not isinstance(said, dict):
        return said
    if "array" in said:
        return arrays[said["array"]]
    if "mapping" in said:
        return {key: from_plain(one, arrays) for key, one in said["mapping"].items()}
    if "one_of" in said:
        return _class(said["one_of"])(said["value"])
    return _class(said["made"])(**{key: from_plain(one, arrays) for key, one in said["of"].items()})


def run_id(problem: Problem) -> str:
    """A name that is the same for the same input, whatever clients still hold from an earlier run."""
    return fingerprint(problem, but=("reduced", *EARLIER), more=problem.reduced.identity)


def fields_id(problem: Problem) -> str:
    """The same for the same fields, whatever the network is."""
    return fingerprint(problem, but=("reduced", *EARLIER), more=np.zeros(0))


def fingerprint(value: Any, *, but: Sequence[str] = (), more: NDArray[Any]) -> str:
    """The same for the same fields of a dataclass, but for some of them, and for the same further array."""
    arrays: Arrays = {"more": more}
    told = [f for f in fields(value) if f.name not in but and not is_unsaid(f, getattr(value, f.name))]
    said = {f.name: _told(getattr(value, f.name), arrays, f.name) for f in told}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()[:16]


def _told(value: Any, arrays: Arrays, name: str) -> Any:
    """A value in plain form; types of others, such as a margin of a utility's own, by their names only."""
    try:
        return to_plain(value, arrays, name)
    except BadProblem:
        several = value if isinstance(value, Sequence) else [value]
        return [type(one).__qualname__ for one in several]


def _packed(values: Mapping[str, Any], arrays: Arrays, name: str) -> dict[str, Any]:
    return {key: to_plain(one, arrays, f"{name}.{key}") for key, one in values.items()}


def _name(value: Any, where: str) -> str:
    kind = type(value)
    where_made = (kind.__module__, kind.__name__)
    if where_made not in NAME_IN_FILES:
        raise BadProblem(f"{where}: {kind.__module__}.{kind.__name__} is none of our types; a file can not keep it")
    return NAME_IN_FILES[where_made]


def _class(name: str) -> Any:
    """One of the types that a file may hold; nothing else is ever called."""
    if name not in FILE_TYPES:
        raise BadProblem(f"{name} is no type that a file may hold")
    module, made = FILE_TYPES[name]
    return getattr(import_module(module), made)
