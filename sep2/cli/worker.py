"""One worker process of `sep2 serve --workers`; started by its parent only, see `sep2.cli.child`."""

import json
import os
import socket
import sys
from pathlib import Path

from sep2.cli.folder import begin_log, serve_part
from sep2.errors import SepError
from sep2.settings import read, roster


def main(asked: str) -> None:
    """Serve the part that is described as JSON: folder, number, and the files that were handed over."""
    from sep2.server.part import Part

    said = json.loads(asked)
    folder = Path(said["folder"])
    settings = read(folder)
    begin_log(settings)
    clients, operators, partners, (parent,) = (
        [_socket(file) for file in files]
        for files in (said["clients"], said["operators"], said["partners"], [said["parent"]])
    )
    part = Part(said["number"], clients, operators, partners, parent, folder.resolve() / roster.FILE)
    try:
        serve_part(folder, settings, part)
    except SepError as wrong:
        sys.exit(f"worker {part.number}: {wrong}")


def _socket(file: int) -> socket.socket:
    """A socket that was handed over; what this process starts does not get it."""
    os.set_inheritable(file, False)
    found = socket.socket(fileno=file)
    found.setblocking(False)
    return found


if __name__ == "__main__":
    main(sys.argv[1])
