"""A client that sends spoiled bodies to a served port, from a process of its own.

`python -m tests.fuzz PORT CERTIFICATE KEY ROOT CONNECTIONS BODIES SEED EDEV GROUP LFDI`: at the end one line of JSON
says how many answers there were of each status. Any answer that is none of those a client may get ends it with an error
that names the seed.
"""

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path

import uvloop

from certs.identity import Files
from tests.raw import Raw, context, request
from tests.wire.spoil import DOCUMENTS, spoiled_bytes, spoiled_tree

EXPECTED = frozenset({200, 201, 204, 400, 403, 404, 405, 409, 413, 415, 429})


def bodies(chance: random.Random, paths: list[tuple[str, str]], lfdi: str) -> bytes:
    """One request with a spoiled document, to the path that takes its kind or to another."""
    document = chance.choice(DOCUMENTS)
    name = document.partition(b"<")[2].partition(b" ")[0].decode("ascii", "replace")
    fitting = [one for one in paths if one[1].startswith(name)]
    path, _, method = chance.choice(fitting if fitting and chance.random() < 0.8 else paths)[0].partition(" ")
    if chance.random() < 0.5:
        document = document.replace(b"</deviceLFDI>", f"{lfdi}</deviceLFDI>".encode())
    spoil = chance.choice((spoiled_bytes, spoiled_tree, lambda whole, _: whole))
    return request(method, path, spoil(document, chance))


def places(edev: str, group: str) -> list[tuple[str, str]]:
    """Where bodies are taken, and the kinds they begin with."""
    own = f"/edev/{edev}"
    return [
        (f"{own}/der/1/dercap PUT", "DERCapability"),
        (f"{own}/der/1/derg PUT", "DERSettings"),
        (f"{own}/der/1/ders PUT", "DERStatus"),
        (f"{own}/der/1/dera PUT", "DERAvailability"),
        (f"{own}/lel POST", "LogEvent"),
        (f"{own}/rsps/1/rsp POST", "DERControlResponse"),
        (f"{own}/sub POST", "Subscription"),
        (f"{own}/cp PUT", "ConnectionPoint"),
        (f"{own} PUT", "EndDevice"),
        ("/edev POST", "EndDevice"),
        ("/mup POST", "MirrorUsagePoint"),
        ("/mup/1 POST", "MirrorMeterReading"),
        (f"{own}/derp/{group}/dderc PUT", "DefaultDERControl"),
    ]


async def fuzz(
    port: int, files: Files, root: Path, *, connections: int, many: int, seed: int, said: list[str]
) -> Counter[str]:
    """How many answers of each status so many spoiled bodies got."""
    counted: Counter[str] = Counter()
    edev, group, lfdi = said
    paths = places(edev, group)

    async def send(number: int) -> None:
        chance = random.Random(seed * 1000 + number)
        raw = await Raw.open(port, context(root, files))
        for _ in range(many // connections):
            asked = bodies(chance, paths, lfdi)
            try:
                await raw.send(asked)
                reply = await raw.read()
            except (ConnectionError, asyncio.IncompleteReadError):
                raise AssertionError(f"seed {seed}: no answer to {asked!r}") from None
            counted[str(reply.status)] += 1
            if reply.status not in EXPECTED:
                raise AssertionError(f"seed {seed}: {reply.status} to {asked!r}")
            if reply.headers.get("connection") == "close":
                await raw.close()
                raw = await Raw.open(port, context(root, files))
        await raw.close()

    async with asyncio.TaskGroup() as group_of:
        for number in range(connections):
            group_of.create_task(send(number))
    return counted


if __name__ == "__main__":
    _, port, certificate, key, root, connections, many, seed, *said = sys.argv
    answers = uvloop.run(
        fuzz(
            int(port),
            Files(Path(certificate), Path(key)),
            Path(root),
            connections=int(connections),
            many=int(many),
            seed=int(seed),
            said=said,
        )
    )
    sys.stdout.write(json.dumps(answers) + "\n")
