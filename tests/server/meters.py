"""Meters of clients, and what they post, as raw documents."""

from collections.abc import Iterable

from tests.raw import Raw, document

W, V = 38, 29
SITE, DER = "0003", "0049"


def reading_type(uom: int, *, multiplier: int = 0, flow: int = 1, phase: int = 0) -> str:
    return (
        f"<ReadingType><dataQualifier>2</dataQualifier><flowDirection>{flow}</flowDirection><kind>37</kind>"
        f"<phase>{phase}</phase><powerOfTenMultiplier>{multiplier}</powerOfTenMultiplier><uom>{uom}</uom></ReadingType>"
    )


def period(start: int, duration: int) -> str:
    return f"<timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"


def read(mrid: str, start: int, values: Iterable[tuple[int, int]]) -> str:
    """A set of readings that follow each other: how long each is, and its value."""
    each, at = "", start
    for number, (duration, value) in enumerate(values):
        said = f"<value>{value}</value><localID>{number:04X}</localID>"
        each += f"<Reading>{period(at, duration)}{said}</Reading>"
        at += duration
    return f"<MirrorReadingSet><mRID>{mrid}</mRID>{period(start, at - start)}{each}</MirrorReadingSet>"


async def mirror(raw: Raw, lfdi: str, mrid: str = "0A01", *, flags: str = SITE, types: dict[str, str]) -> str:
    """The path of a new MirrorUsagePoint of a device, with a series for each mRID and ReadingType."""
    series = "".join(
        f"<MirrorMeterReading><mRID>{one}</mRID>{kind}</MirrorMeterReading>" for one, kind in types.items()
    )
    body = (
        f"<mRID>{mrid}</mRID><roleFlags>{flags}</roleFlags><serviceCategoryKind>0</serviceCategoryKind>"
        f"<status>1</status><deviceLFDI>{lfdi}</deviceLFDI>{series}"
    )
    answer = await raw.post("/mup", document("MirrorUsagePoint", body))
    assert answer.status == 201, answer
    return answer.location


async def post(raw: Raw, path: str, series: str, sets: str) -> None:
    """Post readings of a series."""
    answer = await raw.post(path, document("MirrorMeterReading", f"<mRID>{series}</mRID>{sets}"))
    assert answer.status in (201, 204), answer
