"""Everything that a client can reach."""

from tests.raw import Raw, Reply


async def walk(raw: Raw, start: str = "/dcap") -> dict[str, Reply]:
    """Every resource that links lead to, by path; lists are asked for whole."""
    seen: dict[str, Reply] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        reply = await raw.get(f"{path}?l=255")
        seen[path] = reply
        if reply.status == 200:
            waiting += [element.attrib["href"] for element in reply.xml.iter() if "href" in element.attrib]
    return seen
