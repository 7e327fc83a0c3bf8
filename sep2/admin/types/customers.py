"""Customers who move in and out."""

from typing import Annotated

from msgspec import Meta, Struct

from sep2.rest.types import Asked


class MoveIn(Asked, frozen=True, kw_only=True):
    """Another customer of a connection, from now on; `reference` is that of the utility's own records."""

    reference: Annotated[str, Meta(max_length=80)] = ""


class Customer(Struct, frozen=True, kw_only=True):
    """A customer's time at a connection."""

    since: int
    until: int | None
    reference: str
    moved_in_by: str
    moved_out_by: str


class CustomerMoved(Struct, frozen=True, kw_only=True):
    """A connection whose customer moved in or out, and how many controls and overrides ended with that."""

    connection: str
    at: int
    ended: int
    customers: list[Customer]
