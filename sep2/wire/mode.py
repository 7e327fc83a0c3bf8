"""How a document is read."""

from __future__ import annotations

from typing import NamedTuple

from sep2.wire.declare import Field
from sep2.wire.profile import CSIP_AUS_1_2, Profile


class Mode(NamedTuple):
    """The profile, whether the order of elements counts, and whether foreign elements are skipped or refused."""

    profile: Profile
    ordered: bool = True
    extensions: bool = True

    @property
    def csipaus(self) -> str:
        """The csipaus namespace that documents are read in; the others are turned into it."""
        return self.profile.extension or CSIP_AUS_1_2

    def knows(self, field: Field) -> bool:
        """Documents may carry this field: liberal with csipaus of any version, exact in the base namespace."""
        return field.within(self.profile) or (field.mark.csipaus and self.extensions)
