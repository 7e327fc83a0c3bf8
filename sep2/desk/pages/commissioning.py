"""Connections that are being commissioned: their steps, and what a person does next."""

from typing import Any

from sep2.admin import commissioning
from sep2.admin import types as t
from sep2.desk.door import Visit
from sep2.desk.pages.sheets import body_of

PAGE = 50
SIDES = (("export_w", "export"), ("load_w", "load"))


def _test(side: str) -> t.CommissioningTest:
    return t.CommissioningTest(limits=t.Limits(**{side: 0}))


async def show(visit: Visit, asked: t.CommissioningQuery) -> dict[str, Any]:
    """Those that have not passed, or all."""
    query = t.CommissioningQuery(limit=PAGE, after=asked.after, every=asked.every)
    return {
        "found": await visit.ask(commissioning.list_commissionings, query),
        "every": asked.every,
        "tests": [(f"Test: no {label} for half an hour", body_of(_test(side))) for side, label in SIDES],
        "pass_body": body_of(t.CommissioningPass()),
        "may": visit.may(commissioning.open_commissioning),
        "needs": visit.needs(commissioning.open_commissioning),
    }
