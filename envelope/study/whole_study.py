"""A study of a network that is too large to be calculated as one: divided at its distribution transformers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from envelope.field_rules import BadProblem
from envelope.medium_voltage.head_voltage import MediumVoltage
from envelope.medium_voltage.whole_network import WholeNetwork
from envelope.study.study import Study, base_load_of, problem_of
from gridmodel.errors import GridError
from gridmodel.flow.parts import Parts, split
from gridmodel.model.feeder import Feeder
from gridmodel.model.network import Network

MOST_PORTS = 600
"""of a network that is calculated as one; its arrays grow with the square, and its time faster"""


def parts_of(network: Network) -> Parts | None:
    """The network in parts, where it has so many ports that it is divided and at least two parts; None otherwise."""
    if len(network.connections.port_plus) <= MOST_PORTS:
        return None
    try:
        parts = split(network)
    except GridError:
        # Low voltage that is supplied from several places is calculated as one.
        return None
    return parts if parts is not None and len(parts.low) > 1 else None


def whole_of(feeder: Feeder, parts: Parts, study: Study) -> WholeNetwork:
    """A problem for each part, under one medium voltage."""
    if feeder.devices and any(device.control_point for device in feeder.devices):
        raise BadProblem(f"{feeder.name}: is divided into {len(parts.low)} parts; --devices is for one of them")
    place = {name: k for k, name in enumerate(feeder.network.connections.id)}
    problems = {}
    for name, network in parts.low.items():
        at = np.array([place[own] for own in network.connections.id], dtype=np.intp)
        problems[name] = problem_of(_feeder(feeder, network, at), _study(study, at))
    source = base_load_of(feeder, study).source_v
    return WholeNetwork(feeder.network, MediumVoltage(parts.medium, source_v=source), problems)


def _feeder(whole: Feeder, network: Network, at: Any) -> Feeder:
    """The customers of one part with their day; the voltage at its head is the medium voltage's affair."""
    profile = whole.profile
    if profile is not None:
        columns = {name: getattr(profile, name)[:, at] for name in ("demand_w", "demand_var", "pv_w")}
        profile = replace(profile, source_v=None, **columns)
    return Feeder(network.name, network, whole.pv_va[at], whole.active[at], profile)


def _study(study: Study, at: Any) -> Study:
    """The study of some connections."""
    own = {name: value[at] for name in ("export_w", "import_w") if np.ndim(value := getattr(study, name))}
    flexible = None if study.flexible is None else study.flexible[at]
    return replace(study, flexible=flexible, **own)
