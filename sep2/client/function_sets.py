"""The function sets whose events a client follows: where each keeps programs and events, and how an event is read."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from sep2 import wire as w
from sep2.client.controls import control_of, load_control_of
from sep2.client.device import Rating
from sep2.client.schedule import Control


class FunctionSet(NamedTuple):
    """One of them, by the classes and links of its resources."""

    link: str
    """that leads from a FunctionSetAssignments to its programs"""
    listed: type[Any]
    """the list of programs"""
    programs: Callable[[Any], list[Any]]
    """those in such a list"""
    events_link: Callable[[Any], w.ListLink | None]
    """where a program keeps its events"""
    events_listed: type[Any]
    events: Callable[[Any], list[Any]]
    read: Callable[[Any, int], Control]
    """an event of a program, by the mRID of that"""


DER = FunctionSet(
    "DERProgramListLink",
    w.DERProgramList,
    lambda found: found.DERProgram,
    lambda program: program.DERControlListLink,
    w.DERControlList,
    lambda found: found.DERControl,
    control_of,
)


def function_sets_of(rating: Rating) -> tuple[FunctionSet, ...]:
    """Those that a device follows: what draws power also demand response and load control."""
    if rating.max_charge_w is None:
        return (DER,)
    load_control = FunctionSet(
        "DemandResponseProgramListLink",
        w.DemandResponseProgramList,
        lambda found: found.DemandResponseProgram,
        lambda program: program.EndDeviceControlListLink,
        w.EndDeviceControlList,
        lambda found: found.EndDeviceControl,
        partial(load_control_of, most_w=rating.max_charge_w),
    )
    return (DER, load_control)
