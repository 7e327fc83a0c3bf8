"""`sep2 operator`, `sep2 token`, `sep2 session`: who may use the operator API, and with what."""

import sys
import time
from typing import Annotated, Any

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.show import Limit, listed, show
from sep2.cli.units import shown_time, span
from sep2.cli.verb import verb
from sep2.errors import BadRequest
from sep2.terminal import Lines, shown

operator = typer.Typer(no_args_is_help=True, help="Operators: who may use the server, and in which role.")
token = typer.Typer(no_args_is_help=True, help="Tokens: what operators and programs show to be let in.")
session = typer.Typer(no_args_is_help=True, help="Sessions: browsers that are signed in.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The operator's name.")]
WithPassword = Annotated[
    bool, typer.Option("--password", help="Ask for a password to sign in with; from a pipe, read it from there.")
]


class NoPassword(BadRequest):
    """A password was announced and did not come."""


def _password(wanted: bool) -> str | None:
    """The password that is typed twice, or the line that a pipe holds."""
    if not wanted:
        return None
    if sys.stdin.isatty():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        raise NoPassword
    return line


@verb(operator, "add", changes=True)
def add_operator(
    name: Name,
    *,
    role: Annotated[t.RoleWord, typer.Option(help="viewer looks, operator acts, engineer registers, admin all.")],
    password: WithPassword = False,
) -> None:
    """Add an operator.

    [bold]sep2 operator add Ada --role operator --password[/]
    """
    made = api().change(
        "POST", "/operators", t.Operator, t.NewOperator(name=name, role=role, password=_password(password))
    )
    then = "" if made.has_password else f'; next: sep2 token add "{made.name}" --label …'
    show(made, f"{made.name} is {made.role}{then}")


@verb(operator, "codes", changes=True)
def set_codes(
    name: Name,
    *,
    off: Annotated[bool, typer.Option("--off", help="The password alone is enough from now on.")] = False,
) -> None:
    """Ask for one-time codes of an app beside the password; from another machine, instead of a certificate.

    [bold]sep2 operator codes Ada[/]
    """
    if off:
        done = api().change("DELETE", at("operators", name, "codes"), t.Operator)
        return show(done, f"{done.name} signs in by the password alone.")
    made = api().change("POST", at("operators", name, "codes"), t.CodesMade)
    return show(made, f"Secret for the app of {made.operator}, shown this once: {made.secret}  {made.link}")


@verb(operator, "list")
def list_operators(*, limit: Limit = 100) -> None:
    """Who may use the server."""
    found = api().get("/operators", t.Listed[t.Operator], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "operator"),
        columns=("name", "role", "password", "tokens", "sessions", "added"),
        rows=(
            (
                one.name,
                one.role,
                "yes" if one.has_password else "",
                str(one.tokens),
                str(one.sessions),
                shown_time(one.created or None),
            )
            for one in found.items
        ),
    )


@verb(operator, "show")
def show_operator(
    name: Annotated[str | None, typer.Argument(help="The operator's name; without one: you.")] = None,
) -> None:
    """One operator, or who you are here."""
    server = api()
    if name is None:
        me = server.get("/me", t.Me)
        show(me, f"You are {me.operator}, {me.role}, by {me.via}{', reading only' if me.read_only else ''}.")
        return
    found = server.get(at("operators", name), t.Operator)
    ways = [f"{found.tokens} tokens", f"{found.sessions} sessions", *(["a password"] if found.has_password else [])]
    ways += ["one-time codes"] if found.has_codes else []
    show(found, f"{found.name} is {' and '.join([found.role, *found.grants])}, with {', '.join(ways)}.")


@verb(operator, "set", changes=True)
def set_operator(
    name: Name,
    *,
    role: Annotated[t.RoleWord | None, typer.Option(help="viewer, operator, engineer or admin.")] = None,
    password: WithPassword = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Sign-in by password ends.")] = False,
    grant: Annotated[
        list[str] | None, typer.Option(help="reviewer or supervisor, beside the role; repeatable.")
    ] = None,
    no_grants: Annotated[bool, typer.Option("--no-grants", help="Nothing beside the role.")] = False,
) -> None:
    """Change an operator's role, password or grants; with another role, browsers of theirs have to sign in again."""
    if password and no_password:
        raise typer.BadParameter("give --password or --no-password")
    grants: list[Any] | None = [] if no_grants else grant or None  # the server knows which there are
    body = t.OperatorChange(role=role, password="" if no_password else _password(password), grants=grants)
    done = api().change("PUT", at("operators", name), t.Operator, body)
    show(done, f"{done.name} is {' and '.join([done.role, *done.grants])}.")


@verb(operator, "remove", changes=True)
def remove_operator(name: Name) -> None:
    """Forget an operator with all tokens and sessions; the audit log keeps the name."""
    done = api().change("DELETE", at("operators", name), t.Done)
    show(done, f"{done.message[0].upper()}{done.message[1:]}.")


@verb(token, "add", changes=True)
def add_token(
    name: Name,
    *,
    label: Annotated[str, typer.Option(help="What it is for, such as the machine that uses it.")],
    role: Annotated[t.RoleWord | None, typer.Option(help="Less than the operator's own role.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It changes nothing.")] = False,
    valid: Annotated[
        int | None, typer.Option("--for", parser=span, metavar="SPAN", help="Until it ends: 90d, or up to a year.")
    ] = None,
) -> None:
    """Make a token of an operator, and print it: it is shown this once, and stored nowhere.

    [bold]sep2 token add Ada --label laptop --for 30d[/]
    """
    expires = None if valid is None else int(time.time()) + valid
    body = t.NewToken(operator=name, label=label, role=role, read_only=read_only, expires=expires)
    made = api().change("POST", "/tokens", t.TokenMade, body)
    said = f"Token {made.id} of {made.operator} ({made.role}) is good until {shown_time(made.expires)}"
    kept = "keep it in a file of mode 0600, and name that in SEP2_TOKEN_FILE."
    show(made, Lines(f"{made.token}\n{shown(said)}; {kept}"))


@verb(token, "list")
def list_tokens(
    *,
    of: Annotated[str | None, typer.Option("--operator", help="Only those of one operator.")] = None,
    limit: Limit = 100,
) -> None:
    """Tokens, the newest first; the one in operator.token_file is not among them."""
    found = api().get("/tokens", t.Listed[t.Token], operator=of, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "token"),
        columns=("id", "operator", "label", "role", "only reads", "expires", "last used"),
        rows=(
            (
                one.id,
                one.operator,
                one.label,
                one.role,
                "yes" if one.read_only else "",
                shown_time(one.expires),
                shown_time(one.last_used) or "never",
            )
            for one in found.items
        ),
    )


@verb(token, "remove", changes=True)
def remove_token(number: Annotated[str, typer.Argument(metavar="ID", help="As `sep2 token list` shows it.")]) -> None:
    """Remove a token: who shows it is not let in any more."""
    done = api().change("DELETE", at("tokens", number), t.Done)
    show(done, f"{done.message[0].upper()}{done.message[1:]}.")


@verb(session, "list")
def list_sessions(*, limit: Limit = 100) -> None:
    """Browsers that are signed in, the latest first."""
    found = api().get("/sessions", t.Listed[t.Session], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "session"),
        columns=("id", "operator", "address", "browser", "since", "last request", "ends"),
        rows=(
            (
                str(one.id),
                one.operator,
                one.address,
                one.agent,
                shown_time(one.created),
                shown_time(one.used),
                shown_time(one.expires),
            )
            for one in found.items
        ),
    )


@verb(session, "end", changes=True)
def end_session(number: Annotated[int, typer.Argument(metavar="ID", help="As `sep2 session list` shows it.")]) -> None:
    """End a session; its browser has to sign in again."""
    api().change("DELETE", at("sessions", str(number)), t.Done)
    show(t.Done(message="ended"), f"Session {number} is over.")
