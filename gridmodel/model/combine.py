"""One network out of a medium-voltage feeder and the low-voltage feeders that it supplies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gridmodel.errors import GridError
from gridmodel.model import admittance as build
from gridmodel.model.equipment import Equipment
from gridmodel.model.network import Network

NOMINAL_TOLERANCE = 0.02  # between the nominal voltage of a head and that of the feeder's source node


def joined(medium: Equipment, feeders: Mapping[str, Equipment]) -> Equipment:
    """The medium-voltage feeder with each low-voltage one in place of the connection of its name.

    Everything of a feeder is named "feeder/id"; its source node is the connection's node. Connections of the medium
    voltage that are no feeder's stay.
    """
    parts = [_placed(name, feeder, medium) for name, feeder in feeders.items()]
    connections = [c for c in medium.connections if c.id not in feeders]
    return replace(
        medium,
        nodes=(*medium.nodes, *(node for part in parts for node in part.nodes)),
        lines=(*medium.lines, *(line for part in parts for line in part.lines)),
        transformers=(*medium.transformers, *(t for part in parts for t in part.transformers)),
        centre_taps=(*medium.centre_taps, *(t for part in parts for t in part.centre_taps)),
        capacitors=(*medium.capacitors, *(c for part in parts for c in part.capacitors)),
        regulators=(*medium.regulators, *(r for part in parts for r in part.regulators)),
        connections=(*connections, *(c for part in parts for c in part.connections)),
        notes=(*medium.notes, *(note for part in parts for note in part.notes)),
        source_file="",
        own_elements={},
        own_load_va={},
    )


def stiff(network: Network) -> Network:
    """The same feeder without a source impedance of its own: what stands upstream is the medium voltage's affair."""
    equipment = network.equipment
    if equipment is None:
        raise GridError(f"feeder {network.name}: is known by its admittances only; its source impedance stays")
    return build.network(replace(equipment, supply=replace(equipment.supply, z1_ohm=0j, z0_ohm=0j)))


def _placed(name: str, feeder: Equipment, medium: Equipment) -> Equipment:
    """A feeder with its own names, without its source node."""
    at = next((c for c in medium.connections if c.id == name), None)
    if at is None:
        raise GridError(f"feeder {name}: the medium voltage has no connection of that name")
    if at.phase != "abc":
        raise GridError(f"feeder {name}: its connection has phase {at.phase}; all three are needed")
    if feeder.supply.z1_ohm != 0:
        raise GridError(
            f"feeder {name}: has a source impedance of its own, which the medium voltage stands for; see stiff"
        )
    head = feeder.supply.node
    nominal = [next(n.nominal_v for n in e.nodes if n.id == i) for e, i in ((medium, at.node), (feeder, head))]
    if abs(nominal[1] / nominal[0] - 1.0) > NOMINAL_TOLERANCE:
        raise GridError(f"feeder {name}: its source node has {nominal[1]:g} V, its connection {nominal[0]:g} V")

    def named(own: str) -> str:
        return f"{name}/{own}"

    def node(own: str) -> str:
        return at.node if own == head else named(own)

    return _renamed(feeder, named, node, head)


def _renamed(feeder: Equipment, named: Callable[[str], str], node: Callable[[str], str], head: str) -> Equipment:
    return replace(
        feeder,
        nodes=tuple(replace(n, id=named(n.id)) for n in feeder.nodes if n.id != head),
        lines=tuple(
            replace(x, id=named(x.id), from_node=node(x.from_node), to_node=node(x.to_node)) for x in feeder.lines
        ),
        transformers=tuple(
            replace(t, id=named(t.id), hv_node=node(t.hv_node), lv_node=node(t.lv_node)) for t in feeder.transformers
        ),
        centre_taps=tuple(
            replace(t, id=named(t.id), hv_node=node(t.hv_node), lv_node=node(t.lv_node)) for t in feeder.centre_taps
        ),
        capacitors=tuple(replace(c, id=named(c.id), node=node(c.node)) for c in feeder.capacitors),
        regulators=tuple(replace(r, id=named(r.id), transformer=named(r.transformer)) for r in feeder.regulators),
        connections=tuple(replace(c, id=named(c.id), node=node(c.node)) for c in feeder.connections),
    )
