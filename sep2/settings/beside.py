"""The settings of what stands beside the server: the mail server, markets, and their participants' port."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct


class Mail(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail server by which people are told of alarms (`sep2 receiver add NAME mailto:…`)."""

    host: str = ""
    """Its name; empty: no mail is sent."""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected; `none` is for a server on this machine."""
    user: str = ""
    password_file: Path | None = None
    sender: Annotated[str, Meta(pattern=r"^[\x21-\x7e]+@[\x21-\x7e]+$(?!\n)", max_length=254)] = "sep2@localhost"
    """The address that mails are from."""
    authorities: tuple[Path, ...] = ()
    """CAs of the mail server, beside the roots that this machine trusts for the web."""
    timeout_s: Annotated[int, Meta(ge=1, le=300)] = 30


class Market(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Coordination with markets: what of it is the utility's own."""

    profiles: Path | None = None
    """A folder of market profiles, such as pjm.toml, which may extend those that come with the product."""
    letters: Path | None = None
    """A folder whose `letter.html` (Jinja) is the letter about a review, in place of ours."""
    utility_name: Annotated[str, Meta(max_length=80)] = "The distribution utility"
    """Who writes letters."""
    evidence_key: Path = Path("pki/evidence.pem")
    """The Ed25519 key that signs evidence packs, with its certificate; made at the first pack where it is missing."""
    message_key: Path = Path("pki/messages.pem")
    """The Ed25519 key that signs copies of messages to parties' webhooks; made at the first where it is missing."""
    outbox: Path | None = None
    """A folder for copies to a system operator: a CSV file for each override of an aggregation, and one for its end."""


class Partner(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where aggregators reach the market API, with certificates that stand for them (`sep2 party certificate add`)."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    """None: nobody listens."""
    certificate: Path | None = None
    """The certificate of this port, followed by its issuers; None: that of the 2030.5 port."""
    key: Path | None = None
    reads_per_second: Annotated[int, Meta(ge=0, le=100_000)] = 20
    """Look-ups that one party may make; those of 20 seconds may come at once. 0: no bound."""
    changes_per_second: Annotated[int, Meta(ge=0, le=100_000)] = 5
    """The same of changes."""
    private_webhooks: bool = False
    """Whether parties may have copies of their messages sent to private addresses, beside public ones."""
