import pytest

from certs.authority import Authority


@pytest.fixture(scope="session")
def root():
    return Authority.create("Test root")


@pytest.fixture(scope="session")
def mca(root):
    return root.issue_authority("Test manufacturer CA")


@pytest.fixture(scope="session")
def mica(root):
    return root.issue_authority("Test issuing CA")


@pytest.fixture(scope="session")
def stranger():
    """A root that nobody here trusts."""
    return Authority.create("Test root")
