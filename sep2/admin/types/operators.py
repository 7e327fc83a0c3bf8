"""Operators, tokens and sessions, as the operator API shows and takes them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sep2.rest.types import Asked, Epoch, Span
from sep2.rules.credentials import LONGEST_PASSWORD

Name = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", max_length=80)]
RoleWord = Literal["viewer", "operator", "engineer", "admin"]
GrantWord = Literal["reviewer", "supervisor"]
Password = Annotated[str, Meta(max_length=LONGEST_PASSWORD)]


class NewOperator(Asked, frozen=True, kw_only=True):
    """An operator; with a password they can sign in by browser, without one they need a token."""

    name: Name
    role: RoleWord
    password: Password | None = None


class OperatorChange(Asked, frozen=True, kw_only=True):
    """Another role, another password (empty: none), other grants; what is left out stays."""

    role: RoleWord | None = None
    password: Password | None = None
    grants: list[GrantWord] | None = None


class Operator(Struct, frozen=True, kw_only=True):
    """Who may use the operator API."""

    name: str
    role: str
    has_password: bool
    has_codes: bool
    """whether one-time codes are asked for beside the password"""
    tokens: int
    sessions: int
    created: int
    grants: list[str]
    """what they may do beside the role: reviewer, supervisor"""


class CodesMade(Struct, frozen=True, kw_only=True):
    """One-time codes of an operator; secret and link, for an authenticator app, are shown this once."""

    operator: str
    secret: str
    link: str


class NewToken(Asked, frozen=True, kw_only=True):
    """A token of an operator, with at most the operator's role; it ends within a year, by default after 90 days."""

    operator: Name
    label: Name
    role: RoleWord | None = None
    read_only: bool = False
    expires: Epoch | None = None


class Token(Struct, frozen=True, kw_only=True):
    """A token, without its text, which nobody knows but who was given it."""

    id: str
    operator: str
    label: str
    role: str
    read_only: bool
    created: int
    expires: int
    last_used: int | None


class TokenMade(Token, frozen=True, kw_only=True):
    """A new token; its text is shown this once."""

    token: str


class TokenQuery(Span, frozen=True, kw_only=True):
    """Tokens of one operator."""

    operator: str | None = None


class Session(Struct, frozen=True, kw_only=True):
    """A browser that is signed in."""

    id: int
    operator: str
    address: str
    agent: str
    created: int
    used: int
    expires: int


class Me(Struct, frozen=True, kw_only=True):
    """Who asks, and what they may do; `csrf` is what changes by this session carry in X-CSRF-Token."""

    operator: str
    role: str
    via: str
    read_only: bool
    csrf: str


class DeskLink(Struct, frozen=True, kw_only=True):
    """A path that signs a browser on this machine in, once, within a minute."""

    link: str
