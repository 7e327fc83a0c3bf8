"""A one-line diagram: nodes coloured by voltage, branches by loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Real
from gridmodel.flow.kron import Watched
from gridmodel.model.network import Network

VOLTAGE_BAND_PU = (0.9, 1.1)  # ends of the colour scale where no limits are given
SIZE_INCH = (11.0, 7.5)
LOADING = ("#aab4bd", "#e2a23b", "#b03a2e")
"""from idle to fully loaded, all of them visible on white"""
TOLD_PU = 0.002
"""below this spread of voltages nothing is worth pointing at"""
MOST_NAMED = 12
"""transformers that are named; the names of more would cover the picture"""
SQUARE = 4.0
"""up to this ratio of width to height, places of the network keep their proportions"""


def draw(
    watched: Watched,
    path: str | Path,
    *,
    voltages_v: Real,
    currents_a: Real,
    limits_pu: tuple[float, float] = VOLTAGE_BAND_PU,
    title: str = "",
) -> Path:
    """Writes the picture of one state and returns its path.

    voltages_v: (N,) of the watched node phases, currents_a: (B,) of the watched branch phases. A node shows the phase
    farthest from nominal, a branch its most loaded phase.
    """
    from matplotlib.figure import Figure

    network, place = watched.network, layout(watched.network)
    figure = Figure(figsize=SIZE_INCH, layout="constrained")
    axes = figure.add_subplot()
    loading, v_pu = _worst_loading(watched, currents_a), _worst_voltage_pu(watched, voltages_v)
    lines = _branches(axes, network, place, loading)
    dots = _nodes(axes, network, place, (v_pu, limits_pu))
    _extremes(axes, watched, place, (voltages_v, loading))
    figure.colorbar(dots, ax=axes, label="voltage, per unit of nominal (worst phase)", shrink=0.8, extend="both")
    figure.colorbar(lines, ax=axes, label="loading, % of rating (worst phase)", shrink=0.8)
    axes.set_title(title or network.name)
    axes.autoscale()
    axes.margins(0.06)
    width, height = np.ptp(place, axis=0)
    if np.isfinite(network.nodes.x).all() and height > 0.0 and 1.0 / SQUARE < width / height < SQUARE:
        axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    figure.legend(handles=_legend(bool(np.isnan(loading).any())), loc="outside lower center", ncols=5, fontsize=9)
    figure.savefig(path, dpi=150)
    return Path(path)


def _branches(axes: Any, network: Network, place: Real, loading: Real) -> Any:
    """Branches by loading, unrated ones in grey; transformers by name."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap

    ends = np.stack([place[network.branches.from_node], place[network.branches.to_node]], axis=1)
    rated = np.isfinite(loading)
    axes.add_collection(LineCollection(list(ends[~rated]), colors="0.6", linewidths=1.0, linestyles="dotted"))
    colours = LinearSegmentedColormap.from_list("loading", LOADING)
    lines = LineCollection(list(ends[rated]), cmap=colours, linewidths=1.4 + 2.5 * np.clip(loading[rated], 0, 1))
    lines.set_array(100 * loading[rated])
    lines.set_clim(0, max(100.0, 100 * float(loading[rated].max(initial=0.0))))
    axes.add_collection(lines)
    transformers = np.flatnonzero([kind == "transformer" for kind in network.branches.kind])
    for branch in transformers if len(transformers) <= MOST_NAMED else ():
        _point(axes, network.branches.id[branch], ends[branch].mean(axis=0), (-34, 26))
    return lines


def _nodes(axes: Any, network: Network, place: Real, shown: tuple[Real, tuple[float, float]]) -> Any:
    """Nodes by voltage, those with customers larger, the source as a square."""
    (v_pu, (low, high)), (x, y) = shown, place.T
    size = np.where(np.isin(np.arange(len(network.nodes)), network.connections.node), 26, 9)
    style = {"cmap": "coolwarm", "vmin": low, "vmax": high, "edgecolors": "0.35", "linewidths": 0.4}
    dots = axes.scatter(x, y, c=v_pu, s=size, zorder=3, **style)
    source = network.source.node
    axes.scatter(x[source], y[source], marker="s", s=60, color="black", zorder=4)
    return dots


def _extremes(axes: Any, watched: Watched, place: Real, shown: tuple[Real, Real]) -> None:
    """Names the lowest and the highest voltage at a customer, and the most loaded branch, where they differ at all."""
    (voltages_v, loading), branches = shown, watched.network.branches
    node = watched.network.terminal_node[watched.node_terminal]
    share = np.where(np.isin(node, watched.network.connections.node), voltages_v / watched.node_nominal_v, np.nan)
    if np.nanmax(share, initial=0.0) - np.nanmin(share, initial=np.inf) > TOLD_PU:
        for word, k in (("lowest", int(np.nanargmin(share))), ("highest", int(np.nanargmax(share)))):
            said = f"{word}: {voltages_v[k]:.1f} V, {watched.voltage_names[k]}"
            _point(axes, said, place[node[k]], (30, -60 if word == "lowest" else 34))
    if np.nanmax(loading, initial=0.0) > 0.01:
        most = int(np.nanargmax(loading))
        middle = place[[branches.from_node[most], branches.to_node[most]]].mean(axis=0)
        _point(axes, f"most loaded: {100 * loading[most]:.0f} % of {branches.id[most]}", middle, (30, 60))


def _point(axes: Any, said: str, at: Real, away: tuple[int, int]) -> None:
    """A few words beside a place, readable whatever lies under them."""
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "0.6", "linewidth": 0.5, "alpha": 0.9}
    line = {"arrowstyle": "-", "color": "0.4", "linewidth": 0.7}
    axes.annotate(
        said, at, xytext=away, textcoords="offset points", fontsize=8, ha="left", bbox=box, arrowprops=line, zorder=5
    )


def _legend(unrated: bool) -> list[Any]:
    """What the marks mean."""
    from matplotlib.lines import Line2D

    def mark(label: str, marker: str, size: float, colour: str) -> Any:
        style: dict[str, Any] = {"markeredgecolor": "0.35", "markeredgewidth": 0.4, "linestyle": "none"}
        return Line2D([], [], marker=marker, markersize=size, color=colour, label=label, **style)

    kinds = (
        ("source", "s", 8.0, "black"),
        ("node with customers", "o", 6.0, "0.85"),
        ("other node", "o", 3.5, "0.85"),
    )
    found = [mark(*kind) for kind in kinds]
    return [*found, Line2D([], [], color="0.6", linestyle="dotted", label="no rating")] if unrated else found


def _worst_voltage_pu(watched: Watched, voltages_v: Real) -> Real:
    """(nodes,) per unit, of the phase farthest from nominal; NaN where nothing is watched."""
    share = voltages_v / watched.node_nominal_v
    node = watched.network.terminal_node[watched.node_terminal]
    found = np.full(len(watched.network.nodes), np.nan)
    for k in np.argsort(np.abs(share - 1.0)):
        found[node[k]] = share[k]
    return found


def _worst_loading(watched: Watched, currents_a: Real) -> Real:
    """(branches,) share of the rating of the most loaded phase; NaN where unrated."""
    found = np.full(len(watched.network.branches), np.nan)
    np.fmax.at(found, watched.current_branch, currents_a / watched.rating_a)
    return found


def layout(network: Network) -> Real:
    """(nodes, 2) places: the network's own where every node has one, a tree drawn from the source otherwise."""
    own = np.stack([network.nodes.x, network.nodes.y], axis=1)
    return own if np.isfinite(own).all() else _tree(network)


def _tree(network: Network) -> Real:
    """Depth to the right, one row per leaf; parents stand in the middle of their children."""
    order, parent = _breadth_first(network)
    depth = np.zeros(len(network.nodes))
    for node in order[1:]:
        depth[node] = depth[parent[node]] + 1
    children: dict[int, list[int]] = {}
    for node in order[1:]:
        children.setdefault(int(parent[node]), []).append(int(node))
    row = np.zeros(len(network.nodes))
    for leaf, node in enumerate(n for n in _depth_first(order[0], children) if n not in children):
        row[node] = leaf
    for node in reversed(order):
        if node in children:
            row[node] = np.mean(row[children[node]])
    return np.stack([depth, -row], axis=1)


def _breadth_first(network: Network) -> tuple[list[int], dict[int, int]]:
    """Nodes from the source outwards (then any that it does not reach), and each one's parent."""
    neighbours: dict[int, list[int]] = {}
    for a, b in zip(network.branches.from_node, network.branches.to_node, strict=True):
        neighbours.setdefault(int(a), []).append(int(b))
        neighbours.setdefault(int(b), []).append(int(a))
    start = network.source.node
    parent, order = {start: start}, [start]
    for node in order:
        for other in neighbours.get(node, []):
            if other not in parent:
                parent[other] = node
                order.append(other)
    stray = [n for n in range(len(network.nodes)) if n not in parent]
    return order + stray, parent | dict.fromkeys(stray, start)


def _depth_first(root: int, children: dict[int, list[int]]) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += reversed(children.get(node, []))
    return found
