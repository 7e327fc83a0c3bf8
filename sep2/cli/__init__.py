"""The command line: `sep2`."""

import sys
from types import TracebackType


def main() -> None:
    """Run the command that was typed."""
    from sep2.cli.app import app

    sys.excepthook = _failed
    app()


def _failed(kind: type[BaseException], wrong: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback; what a file or a server says in it is text."""
    import traceback

    from sep2.terminal import shown_lines

    sys.stderr.write(shown_lines("".join(traceback.format_exception(kind, wrong, trace))))
