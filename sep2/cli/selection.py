"""Whose: the options by which commands choose connections and devices, written once."""

from typing import Annotated, NamedTuple, get_type_hints

import typer


class Selection(NamedTuple):
    """Whose: all that are given must fit. A parameter of this type stands for these options."""

    connection: Annotated[str | None, typer.Option(help="Only this connection, by its id.")] = None
    device: Annotated[str | None, typer.Option(help="Only this device: the beginning of its LFDI.")] = None
    client: Annotated[str | None, typer.Option(help="Only devices of this client, by its name.")] = None
    group: Annotated[str | None, typer.Option(help="Only devices of this group, by its name.")] = None
    place: Annotated[
        str | None, typer.Option(help="Only what is at this place of the network, or below it, by its name.")
    ] = None

    def query(self) -> dict[str, str | None]:
        """The fields of a query to the API."""
        return self._asdict()


ALL = Selection()
OPTIONS = get_type_hints(Selection, include_extras=True)
