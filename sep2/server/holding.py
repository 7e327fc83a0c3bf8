"""What is not told while a copy of the database was put back, and what it lacks is not entered."""

from sep2.errors import SepError

HELD = frozenset(
    {
        *("DERProgramList", "DERProgram", "DERControlList", "ActiveDERControlList", "DERControl", "DefaultDERControl"),
        *("DemandResponseProgramList", "DemandResponseProgram", "EndDeviceControlList", "EndDeviceControl"),
    }
)
"""What says which limits hold: the copy may know looser ones than devices were told."""


class HeldBack(SepError):
    """A copy of the database was put back, and what it lacks is not entered yet: keep to what you were told."""

    status = 503
    retry_s = 60


def ensure_told(resource: str, holds: bool) -> None:
    """HeldBack where a resource may not be shown."""
    if holds and resource in HELD:
        raise HeldBack(resource)
