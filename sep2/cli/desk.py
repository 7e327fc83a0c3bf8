"""`sep2 desk`: the operator's desk in a browser."""

import webbrowser
from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api
from sep2.cli.show import show
from sep2.cli.verb import verb

desk = typer.Typer(no_args_is_help=True, help="The operator's desk, in a browser on this machine.")


@verb(desk, "open")
def open_desk(
    *, browser: Annotated[bool, typer.Option(help="Open it in this machine's browser; without: only print it.")] = True
) -> None:
    """Sign a browser on this machine in: the link is good once, for a minute.

    [bold]sep2 desk open --no-browser[/]
    """
    server = api()
    made = server.change("POST", "/desk/links", t.DeskLink)
    link = server.url + made.link
    show(t.DeskLink(link=link), f"This signs one browser on this machine in, once, within a minute: {link}")
    if browser:
        webbrowser.open(link)
