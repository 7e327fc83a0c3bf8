"""Every class, in every profile: what is written is valid, and is read as what it was."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sep2 import wire as w
from sep2.wire.xsd import findings
from tests.wire.instances import instances

FEW = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.mark.parametrize("name", sorted(w.WIRE))
@FEW
@given(data=st.data())
def test_what_is_written_is_valid_and_read_again(name: str, data: st.DataObject) -> None:
    cls: type[Any] = w.WIRE[name]
    for profile in w.Profile:
        if not w.layout(cls).within(profile):
            continue
        sent = data.draw(instances(cls, profile))
        document = w.encode(sent, profile)
        assert findings(document, profile) == []
        assert w.decode(document, cls, profile=profile) == sent
        assert w.decode(document, profile=profile, ordered=False, extensions=False) == sent
        w.check(sent, profile)
