"""Guarantees as a table: boxes, corners and random tests of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from envelope.problem import Guarantee


class GuaranteeRule(NamedTuple):
    """How boxes that keep a guarantee are found and verified."""

    per_direction: bool
    """one box for export and one for import, each with its other end at the base load; else one box for both"""
    common_level: bool
    """all connections stand at one common level together: the only corners are all at export, and all at import"""
    random_corners: bool
    """whether random corners, points inside and a greedy search are tried too"""


GUARANTEES: Mapping[Guarantee, GuaranteeRule] = {
    Guarantee.TWO_SIDED: GuaranteeRule(per_direction=False, common_level=False, random_corners=True),
    Guarantee.ONE_SIDED: GuaranteeRule(per_direction=True, common_level=False, random_corners=True),
    Guarantee.COINCIDENT: GuaranteeRule(per_direction=True, common_level=True, random_corners=False),
}
