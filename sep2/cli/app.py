"""The command `sep2`: what is in `sep2.cli.table`, and what extensions add."""

import typer

from sep2.cli.lazy import Sep2

app = typer.Typer(
    name="sep2",
    cls=Sep2,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="""A utility server for distributed energy: IEEE 2030.5, CSIP and CSIP-AUS.

    Start here:

    [bold]sep2 init utility[/]                         a folder: settings, database, certificates

    [bold]sep2 serve utility[/]                        the server, until Ctrl-C

    [bold]export SEP2_DIR=utility[/]                   so that the other commands find it

    [bold]sep2 client add Sunny --issue utility/pki[/]

    [bold]sep2 connection add NMI1[/]  and  [bold]sep2 device add --client Sunny --connection NMI1[/]

    [bold]sep2 control send --connection NMI1 --export 1.5kW --for 10m[/]  and  [bold]sep2 control watch[/]
    """,
)


@app.callback()
def _begin() -> None:
    """Typer asks for something of its own; all commands come from `Sep2`."""
