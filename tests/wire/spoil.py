"""Documents changed at random, as bytes and as trees; and what must hold of whatever comes out."""

import copy
import random
from dataclasses import is_dataclass

from lxml import etree

from sep2 import wire as w
from tests.wire import samples

SAMPLES = [value for value in vars(samples).values() if is_dataclass(value)]
DOCUMENTS = [
    w.encode(sample, profile) for sample in SAMPLES for profile in w.Profile if w.layout(type(sample)).within(profile)
]
TEXTS = ["", " ", "0", "-1", "1", "x", "+7", "007", "256", "65536", "4294967296", "true", "FF", "F"]
TEXTS += ["0123456789ABCDEF01", "a" * 33]
PIECES = [b"<", b">", b"/", b'"', b"'", b"&", b"&amp;", b"&#0;", b"&#x10FFFF;", b"<![CDATA[", b"]]>", b"<!--", b"-->"]
PIECES += [b"<?a?>", b' xsi:type="Time"', b' xmlns=""', b' xmlns:csipaus="https://csipaus.org/ns/v1.3"', b"csipaus:"]
PIECES += [
    b"\xff",
    b"\x00",
    b"\xc3\xa9",
    b"-",
    b"+",
    b"0x",
    b"_",
    b"9" * 30,
    b"1e3",
    b"NaN",
    b" ",
    b"\n",
    b"true",
    b"FF",
]
PIECES += [
    b' href="/x"',
    b"<DERControl/>",
    b"</DERControl>",
    b"\xef\xbb\xbf",
    b"<!DOCTYPE x>",
    b"<v:a xmlns:v='urn:v'/>",
]


def spoiled_bytes(document: bytes, chance: random.Random) -> bytes:
    """A document with pieces put in, taken out, repeated or flipped."""
    data = bytearray(document)
    for _ in range(chance.randrange(1, 5)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.randrange(1, 40))
        match chance.randrange(6):
            case 0:
                data[start:start] = chance.choice(PIECES)
            case 1:
                del data[start:end]
            case 2:
                data[start:end] = chance.choice(PIECES)
            case 3:
                other = chance.choice(DOCUMENTS)
                cut = chance.randrange(len(other))
                data[start:start] = other[cut : cut + chance.randrange(1, 200)]
            case 4:
                data[start:start] = data[start:end]
            case _ if data:
                data[start % len(data)] ^= 1 << chance.randrange(8)
    return bytes(data)


def spoiled_tree(document: bytes, chance: random.Random) -> bytes:
    """A well-formed document with one thing changed, which may or may not matter."""
    root = etree.fromstring(document)
    elements = list(root.iter())
    victim = chance.choice(elements)
    parent = victim.getparent()
    match chance.randrange(7):
        case 0 if parent is not None:
            parent.remove(victim)
        case 1 if parent is not None:
            parent.append(copy.deepcopy(victim))
        case 2 if parent is not None:
            parent.insert(chance.randrange(len(parent)), victim)
        case 3:
            victim.tag = chance.choice(elements).tag
        case 4 if len(victim):
            victim.text = chance.choice(TEXTS)
        case 5 if victim.keys():
            del victim.attrib[chance.choice(victim.keys())]
        case 6 if victim.keys():
            victim.attrib[chance.choice(victim.keys())] = chance.choice(TEXTS)
        case _:
            victim.text = chance.choice(TEXTS)
    return etree.tostring(root)


def survive(chance: random.Random) -> bool:
    """Whether a spoiled document was still read; if so, it is written and read again as the same.

    Anything but a refusal in one short line is a failure of the codec.
    """
    spoil = chance.choice([spoiled_bytes, spoiled_tree])
    document = spoil(chance.choice(DOCUMENTS), chance)
    profile = chance.choice(list(w.Profile))
    line = ""
    try:
        found = w.decode(document, profile=profile, ordered=chance.random() < 0.5, extensions=chance.random() < 0.5)
    except w.WireError as refusal:
        line = str(refusal)
        found = None
    if found is None:
        assert len(line) < 300
        assert "\n" not in line
        return False
    if w.layout(type(found)).within(profile):
        once = w.encode(found, profile)
        assert w.encode(w.decode(once, profile=profile), profile) == once
    return True
