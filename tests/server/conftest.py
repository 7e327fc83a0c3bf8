"""Everybody's certificates, and a server to talk to."""

from collections.abc import AsyncIterator

import pytest

from certs import pki
from tests.server.world import PEOPLE, People, World, serving


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    """Certificates that lead to one root."""
    made = pki.create(tmp_path_factory.mktemp("pki"))
    issuer = made.issuer
    identities = {}
    for name in PEOPLE:
        issue = issuer.issue_aggregator if name in ("sunny", "gale") else issuer.issue_device
        identities[name] = issue(name)
        made.save(identities[name], name)
    return People(made, identities)


@pytest.fixture
async def world(people: People, sqlite_url: str) -> AsyncIterator[World]:
    """A server of this test's own."""
    async with serving(people, sqlite_url) as world:
        yield world
