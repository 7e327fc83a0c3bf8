"""Curves, as the operator API shows and takes them: points in natural units, pace and ramps as the wire has them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.rest.types import Asked, Span

CurveKind = Literal[
    "opModFreqWatt",
    "opModHFRTMayTrip",
    "opModHFRTMustTrip",
    "opModHVRTMayTrip",
    "opModHVRTMomentaryCessation",
    "opModHVRTMustTrip",
    "opModLFRTMayTrip",
    "opModLFRTMustTrip",
    "opModLVRTMayTrip",
    "opModLVRTMomentaryCessation",
    "opModLVRTMustTrip",
    "opModVoltVar",
    "opModVoltWatt",
    "opModWattPF",
    "opModWattVar",
]
Reference = Literal["NOT_APPLICABLE", "setMaxW", "setMaxVar", "statVarAvail", "setEffectiveV", "statWAvail"]
Hundredths = Annotated[int, Meta(ge=0, le=65535)]


class CurvePoint(Asked, frozen=True, kw_only=True, omit_defaults=True):
    """One point: x and y in percent, hertz, seconds or power factor, whatever the kind of the curve relates."""

    x: float
    y: float
    excitation: bool | None = None
    """Of a power factor, and only of that: whether var are absorbed."""


class NewCurve(Asked, frozen=True, kw_only=True):
    """A curve for the program of a group; `reference` is what a percentage of y is of."""

    kind: CurveKind
    points: Annotated[list[CurvePoint], Meta(min_length=1, max_length=10)]
    reference: Reference | None = None
    description: Annotated[str, Meta(max_length=32)] = ""
    open_loop_tms: Hundredths | None = None
    ramp_dec_tms: Hundredths | None = None
    ramp_inc_tms: Hundredths | None = None
    ramp_pt1_tms: Hundredths | None = None
    v_ref: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    autonomous_v_ref: bool | None = None
    autonomous_v_ref_tms: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None


class Curve(Struct, frozen=True, kw_only=True):
    """A curve of a group's program."""

    mrid: str
    name: str | None
    group: str
    kind: str
    points: list[CurvePoint]
    x_unit: str
    y_unit: str
    reference: str
    description: str
    open_loop_tms: int | None
    ramp_dec_tms: int | None
    ramp_inc_tms: int | None
    ramp_pt1_tms: int | None
    v_ref: int | None
    autonomous_v_ref: bool | None
    autonomous_v_ref_tms: int | None
    created: int
    removed: int | None


class CurveMade(Curve, frozen=True, kw_only=True):
    """The curve that says so; it is not new if one said so already."""

    new: bool


class CurveQuery(Span, frozen=True, kw_only=True):
    """Curves of one group."""

    group: str | None = None
