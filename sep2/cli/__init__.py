"""The command line: `sep2`."""


def main() -> None:
    """Run the command that was typed."""
    from sep2.cli.app import app

    app()
