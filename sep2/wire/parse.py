"""From bytes to a tree, in bounded time and memory: no DTD, no entities, no network, nothing deep or large."""

from __future__ import annotations

import re
import threading
from functools import cache

from lxml import etree

from sep2.wire.failures import WireError

LARGEST = 4 << 20
"""Octets of the largest document that is read."""
DEEPEST = 31
"""Levels below the root element; no class of the schema needs a third of them."""


class _Parser(threading.local):
    """A parser of each thread's own: threads that share one wait for each other."""

    def __init__(self) -> None:
        self.strict = etree.XMLParser(
            encoding="utf-8",
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )


_PARSER = _Parser()
_PROLOG = re.compile(rb"(?:\s+|<!--(?:[^-]|-[^-])*-->|<\?(?:[^?]|\?[^>])*\?>)*(<!DOCTYPE)?")
_ENCODING = re.compile(rb"<\?xml\s[^>]*\bencoding\s*=\s*[\"']([^\"']*)")
_BLOCK = 1024
_CROWDED = re.compile(rb"""<[^\s<>/!?][^\s<>=]*(?:\s+[^\s<>="']+\s*=\s*(?:"[^"<]*"|'[^'<]*')){65}""")
_BOM = b"\xef\xbb\xbf"


def parse(data: bytes, largest: int = LARGEST) -> etree._Element:
    """The root element of a document."""
    if len(data) > largest:
        raise WireError(f"the document has {len(data)} octets, {largest} are read")
    if data.startswith(_BOM):
        data = data[3:]
    declared = _ENCODING.match(data)
    if declared and declared[1].lower() not in {b"utf-8", b"utf8", b"us-ascii"}:
        raise WireError("only UTF-8 is read")
    prolog = _PROLOG.match(data)
    if prolog and prolog[1]:
        raise WireError("a document type declaration is refused")
    if _is_crowded(data):
        raise WireError("an element has more than 64 attributes")
    try:
        root = etree.fromstring(data, _PARSER.strict)
    except (etree.XMLSyntaxError, ValueError) as error:
        said = getattr(error, "msg", None) or str(error)
        raise WireError(f"not well-formed XML: {' '.join(said.split())[:160]}") from None
    return root


def refuse_depth(element: etree._Element) -> None:
    """Nothing, where no element in this one lies too deep.

    Only skipped elements and those that say their own class can nest at will; the others are as deep as their classes.
    """
    left = DEEPEST - sum(1 for _ in element.iterancestors())
    if left < 0 or _deeper_than(left)(element):
        raise WireError(f"elements are nested more than {DEEPEST} levels deep")


@cache
def _deeper_than(levels: int) -> etree.XPath:
    return etree.XPath(f"boolean(./*{'/*' * levels})")


def _is_crowded(data: bytes) -> bool:
    """Some element has more attributes than any class: libxml2 takes time with the square of their number.

    No attribute holds a `<`, so a tag of that length covers a whole block without one. Hardly a document has such a
    block, and only then its tags are counted.
    """
    for start in range(0, len(data) - _BLOCK, _BLOCK):
        if data.find(b"<", start, start + _BLOCK) < 0:
            return _CROWDED.search(data) is not None
    return False
