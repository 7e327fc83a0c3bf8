"""FunctionSetAssignments: which programs a device is to follow (2030.5 8.6)."""

from collections.abc import Mapping

from sep2 import wire as w
from sep2.errors import NotFound
from sep2.functions.request import Request, found, wire_version
from sep2.rules.identifiers import derived_mrid
from sep2.rules.reach import has_load_control
from sep2.store import groups

ALL_GROUPS = 0
"""The number of the one FunctionSetAssignments that holds every program, where the utility lays them out so."""


def group_named(ids: Mapping[str, int]) -> int | None:
    """The group that a path is about; None where it is about all groups of a device, or about none."""
    if "derp" in ids:
        return ids["derp"]
    fsa = ids.get("fsa", ALL_GROUPS)
    return None if fsa == ALL_GROUPS else fsa


async def list_assignments(rq: Request) -> w.FunctionSetAssignmentsList:
    """One for each group the device is in, or a single one, as the utility's settings say."""
    if rq.house.settings.utility.fsa_layout == "one":
        items = [await _all_in_one(rq)][rq.page.start : rq.page.start + rq.page.limit]
        return w.FunctionSetAssignmentsList(all=1, results=len(items), FunctionSetAssignments=items)
    page = await groups.assignments(rq.db, rq.ids.edev, rq.page)
    items = [
        _view(rq, row.id, mrid=row.fsa_mrid, programs=1, description=row.description, version=row.version)
        for row in page.rows
    ]
    return w.FunctionSetAssignmentsList(all=page.total, results=len(items), FunctionSetAssignments=items)


async def one_assignments(rq: Request) -> w.FunctionSetAssignments:
    """One FunctionSetAssignments."""
    check_layout(rq)
    if rq.ids.fsa == ALL_GROUPS:
        return await _all_in_one(rq)
    row = found(await groups.program(rq.db, rq.ids.edev, rq.ids.fsa, rq.seen))
    return _view(rq, row.id, mrid=row.fsa_mrid, programs=1, description=row.description, version=row.version)


def check_layout(rq: Request) -> None:
    """Nothing, where the FunctionSetAssignments of the path is one that the utility lays out."""
    if (rq.house.settings.utility.fsa_layout == "one") != (rq.ids.fsa == ALL_GROUPS):
        raise NotFound


async def _all_in_one(rq: Request) -> w.FunctionSetAssignments:
    programs = await groups.count_of(rq.db, rq.ids.edev)
    return _view(rq, ALL_GROUPS, mrid=derived_mrid(rq.own.fsa_mrid, "FSA"), programs=programs)


def _view(
    rq: Request, fsa: int, *, mrid: str, programs: int, description: str = "", version: int | None = None
) -> w.FunctionSetAssignments:
    return w.FunctionSetAssignments(
        href=rq.href("FunctionSetAssignments", fsa=fsa),
        subscribable=rq.subscribable("FunctionSetAssignments"),
        DemandResponseProgramListLink=(
            rq.list_link(w.DemandResponseProgramListLink, "DemandResponseProgramList", programs, fsa=fsa)
            if has_load_control(rq.own)
            else None
        ),
        DERProgramListLink=rq.list_link(w.DERProgramListLink, "DERProgramList", programs, fsa=fsa),
        ResponseSetListLink=rq.list_link(w.ResponseSetListLink, "ResponseSetList", 1),
        TimeLink=rq.link(w.TimeLink, "Time"),
        mRID=w.HexBinary(mrid),
        description=description or None,
        version=None if version is None else wire_version(version),
    )
