"""Declaration that a guarantee within a declared band needs: a share, and the engineer who turned it on."""

from __future__ import annotations

from envelope.field_rules import BadProblem
from envelope.problem.policies import Guarantee


def refuse_band(guarantee: Guarantee, share: float | None, declared_by: str, *, balanced: bool) -> None:
    """Refuse a declared band without a declaration, and a declaration that no guarantee uses."""
    band = guarantee is Guarantee.DECLARED_BAND
    if band is (share is None):
        raise BadProblem(f"declared_share: goes with guarantee {Guarantee.DECLARED_BAND}, and only with it")
    if band is not bool(declared_by.strip()):
        raise BadProblem("declared_by: the engineer's name goes with declared_share, and only with it")
    if band and not balanced:
        raise BadProblem(f"flex_split: {guarantee} limits need power of known phases")
