"""Many random histories of controls, overrides and envelopes: four readings of them are equal at every second."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings

from tests.operations.test_who_decides import everybody_reads_the_same, follow, histories


@pytest.mark.timeout(7200)
@given(history=histories)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_everybody_reads_the_same_at_every_second(sqlite_template, history):
    everybody_reads_the_same(sqlite_template, history)


@pytest.mark.timeout(600)
@given(history=histories)
@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_on_postgresql_too(postgres_url, history):
    asyncio.run(follow(postgres_url, history))
