"""What metered values mean to the utility."""

from enum import StrEnum


class ReadingSign(StrEnum):
    """Whether a meter counts as the standard says, import forwards; found out when it is commissioned."""

    UNPROVEN = "unproven"
    """nobody has compared it with what the connection is known to do: shown, and nothing rests on it"""
    AS_POSTED = "as-posted"
    REVERSED = "reversed"

    @property
    def factor(self) -> int:
        """What a reading is multiplied by to be an import; 0 while that is not known."""
        return {"unproven": 0, "as-posted": 1, "reversed": -1}[self]
