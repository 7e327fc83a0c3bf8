"""Reads the worst documents of the size allowed, in a process that may not use much memory or time."""

import resource

from sep2 import wire as w
from sep2.wire.parse import LARGEST

NS = "urn:ieee:std:2030.5:ns"
MEMORY = 700 << 20
SECONDS = 60
DISTINCT = " ".join(f"a{n}='1'" for n in range(LARGEST // 14))
SPACES = " ".join(f"xmlns:a{n}='u'" for n in range(LARGEST // 20))
DOCUMENTS = [
    f'<Time xmlns="{NS}"><currentTime>{"9" * LARGEST}',
    f'<Time xmlns="{NS}"><currentTime>{" " * LARGEST}',
    f'<Time xmlns="{NS}"><currentTime>{"<!--x-->" * (LARGEST // 8)}',
    f'<Time xmlns="{NS}"><currentTime>{"<?a?>" * (LARGEST // 5)}',
    f'<Time xmlns="{NS}">{"<x/>" * (LARGEST // 4 - 20)}</Time>',
    f'<Time xmlns="{NS}">{"<x>" * (LARGEST // 3)}',
    f'<Time xmlns="{NS}" {DISTINCT}/>',
    f'<Time xmlns="{NS}" {SPACES}/>',
    f'<Time xmlns="{NS}" href="{"x" * (LARGEST - 100)}"/>',
    f'<EndDeviceList xmlns="{NS}" all="1">{"<EndDevice/>" * (LARGEST // 13)}</EndDeviceList>',
    f'<DERStatus xmlns="{NS}"><alarmStatus>{"0" * (LARGEST - 100)}</alarmStatus></DERStatus>',
    f'<Time xmlns="{NS}" xmlns:v="urn:v">{"<v:x/>" * (LARGEST // 6 - 20)}</Time>',
    f'<Time xmlns="{NS}" xmlns:v="urn:v">{"<v:x><v:x/></v:x>" * (LARGEST // 17 - 20)}</Time>',
    "<!-- -->" * (LARGEST // 8),
    f"{'<?x ?>' * (LARGEST // 6 - 10)}<!DOCTYPE x>",
    "<!-" * (LARGEST // 3),
    "<?" * (LARGEST // 2),
    "<!---" * (LARGEST // 5),
]


def main() -> None:
    """Print what each is refused for."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    for document in DOCUMENTS:
        try:
            w.decode(document.encode()[:LARGEST], profile=w.Profile.CSIP)
        except w.WireError as error:
            print(error)  # noqa: T201


if __name__ == "__main__":
    main()
