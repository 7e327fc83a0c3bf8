"""The dialects of 2030.5 that a peer can be spoken to in, and the namespaces they use."""

from enum import StrEnum

NAMESPACE = "urn:ieee:std:2030.5:ns"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CSIP_AUS_1_2 = "https://csipaus.org/ns"
CSIP_AUS_1_3 = "https://csipaus.org/ns/v1.3"
CSIP_AUS_1_1 = "http://csipaus.org/ns"
CSIP_AUS_KNOWN = (CSIP_AUS_1_2, CSIP_AUS_1_3, "https://csipaus.org/ns/v1.3-beta/storage", CSIP_AUS_1_1)
"""Namespaces that have carried CSIP-AUS elements; all are read, only the profile's own is written."""

DRAFT_NAMESPACES = ("http://zigbee.org/sep", "http://ieee.org/2030.5")


class Profile(StrEnum):
    """The dialect a peer speaks: stored per device or aggregator, never guessed."""

    CSIP = "csip"
    CSIP_AUS_1_2 = "csip-aus-1.2"
    CSIP_AUS_1_3 = "csip-aus-1.3"

    @property
    def extension(self) -> str | None:
        """The csipaus namespace this profile writes, None where it has none."""
        return _EXTENSION[self]


_EXTENSION = {Profile.CSIP: None, Profile.CSIP_AUS_1_2: CSIP_AUS_1_2, Profile.CSIP_AUS_1_3: CSIP_AUS_1_3}
