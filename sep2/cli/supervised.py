"""What a process tells the systemd that started it (`Type=notify`)."""

import os
import socket
from contextlib import suppress


def tell_systemd(state: str) -> None:
    """Send a state, such as READY=1, to whom `NOTIFY_SOCKET` names, if anybody does; see sd_notify(3)."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if place:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(state.encode(), "\0" + place[1:] if place.startswith("@") else place)
