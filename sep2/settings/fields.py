"""What an operator may set: every field with its default and its bounds."""

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sep2.errors import SepError
from sep2.rules.days import LocalTime
from sep2.rules.defaults import Layout
from sep2.rules.identifiers import DOCUMENTATION_PEN
from sep2.rules.limits import LARGEST_W
from sep2.rules.limits import Limits as PowerLimits
from sep2.rules.receivers import Policy
from sep2.settings.authority import FLOORS, LONGEST_S, Approvals, Floor
from sep2.settings.beside import Mail, Market, Partner
from sep2.settings.engine import Engine, Measurements

FILE = "sep2.toml"

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[int, Meta(ge=1, le=LONGEST_S)]
Years = Annotated[int, Meta(ge=86_400, le=40 * 366 * 86_400)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Bound = Annotated[int, Meta(ge=0, le=LARGEST_W)] | Literal["none"]
Bytes = Annotated[int, Meta(ge=1024, le=64 * 1024 * 1024)]
ProfileName = Literal["csip", "csip-aus-1.2", "csip-aus-1.3"]
Registration = Literal["out-of-band", "in-band"]

POLLED = (
    "DERList",
    "DERProgramList",
    "DeviceCapability",
    "EndDeviceList",
    "FunctionSetAssignmentsList",
    "LogEventList",
    "MirrorUsagePointList",
    "Registration",
    "ResponseSetList",
    "SubscriptionList",
    "Time",
    "UsagePointList",
)
"""The resources that carry a pollRate; controls, defaults and programs follow the DERProgramList."""


class SettingsError(SepError):
    """The settings can not be used."""

    status = 400


class Listen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where 2030.5 clients reach the server."""

    host: str = "127.0.0.1"
    port: Port = 8443
    """0 takes any free port."""
    name: str = ""
    """The host name in absolute URIs of this server; empty: `host`, or this machine's name if `host` is none."""

    @property
    def origin(self) -> str:
        """What absolute URIs of this server begin with."""
        host = self.name or (socket.getfqdn() if self.host in ("0.0.0.0", "::") else self.host)  # noqa: S104
        return f"https://[{host}]:{self.port}" if ":" in host else f"https://{host}:{self.port}"


class Oidc(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The utility's OpenID Connect provider: who signs in there has the highest role of their groups."""

    issuer: Annotated[str, Meta(min_length=1)]
    """Its issuer identifier, an https URL; what it supports is read from there."""
    client_id: Annotated[str, Meta(min_length=1)]
    roles: dict[str, Literal["viewer", "operator", "engineer", "admin"]]
    """Group to role; who is in none of these groups is not let in."""
    client_secret_file: Path | None = None
    """The client's secret, if the provider gave one; only its owner may read the file."""
    groups_claim: str = "groups"
    """The claim of the ID token that lists the groups."""
    name_claim: str = "preferred_username"
    """The claim that the audit log shows as the operator's name."""
    scopes: tuple[str, ...] = ("openid", "profile")
    authorities: tuple[Path, ...] = ()
    """CAs of the provider, beside the roots that this machine trusts for the web."""


class Operator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where operators reach the server: plain HTTP on loopback, TLS 1.3 wherever a certificate is given."""

    host: str = "127.0.0.1"
    """An address other than loopback needs `certificate` and `key`."""
    port: Port = 8444
    names: tuple[str, ...] = ()
    """Further host names that operators use for this server; requests for others are refused."""
    token_file: Path = Path("operator.token")
    """The bearer token of the operator `local`; only its owner may read the file."""
    certificate: Path | None = None
    """The certificate of this port, followed by its issuers; any public or private CA, not that of the devices."""
    key: Path | None = None
    authorities: tuple[Path, ...] = ()
    """CAs of the operators' own certificates: from another machine one is needed, beside token or password."""
    syslog: str = ""
    """Where security events go as RFC 5424 syslog: `udp://HOST:PORT` or `unix:/dev/log`; empty: to the log only."""
    reads_per_second: Annotated[int, Meta(ge=0, le=100_000)] = 50
    """Look-ups that one operator may make; those of 20 seconds may come at once. 0: no bound."""
    changes_per_second: Annotated[int, Meta(ge=0, le=100_000)] = 10
    """The same of changes."""
    oidc: Oidc | None = None
    """Sign-in by the utility's provider; passwords are for when that is away, and each use of one is an alarm."""


class Database(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where everything is kept."""

    url: str = "sqlite:///sep2.db"
    """`sqlite:///FILE` or `postgresql://USER@HOST/NAME`."""
    backups: Path | None = None
    """Where backups are put, each a file or a folder of its own; None: nobody looks whether they are made."""
    backup_stale_s: Annotated[int, Meta(ge=600, le=31 * 86_400)] = 26 * 3600
    """How old the newest may be."""


class Tls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server's identity and whom it trusts; files are PEM, relative to the folder of `sep2.toml`."""

    certificate: Path = Path("pki/server.pem")
    """The server's certificate, followed by the intermediates up to the root."""
    key: Path = Path("pki/server.key")
    authorities: tuple[Path, ...] = (Path("pki/root.pem"), Path("pki/ca.pem"))
    """Roots that clients and notification receivers lead to, and CAs for those that send only their own certificate."""
    lenient_authorities: tuple[Path, ...] = ()
    """Roots under which certificates are accepted that depart from the 2030.5 profile."""
    more_suites: tuple[str, ...] = ()
    """OpenSSL names offered beside ECDHE-ECDSA-AES128-CCM8, e.g. ECDHE-ECDSA-AES128-GCM-SHA256."""


class Receivers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where notifications may be sent. A client's own `receiver_hosts` are added to `hosts`."""

    hosts: tuple[str, ...] = ()
    """Names or addresses, as `host` (port 443 only) or `host:port`; nothing else is ever connected to.

    What a name stands for is looked at whenever it is connected to: public addresses, others where they are allowed.
    """
    http: bool = False
    """Also plain http, not only https."""
    loopback: bool = False
    """Also receivers on this machine, on any port; to try the server out."""
    private: bool = False
    """Also private addresses, and names that stand for them; addresses where clouds keep their metadata never."""
    here_only: bool = False
    """Nothing is sent to another machine, whatever else is said; a copy for training is so."""
    public_authorities: bool = False
    """Also receivers whose certificate leads to a root that this machine trusts for the web."""
    webhook_authorities: tuple[Path, ...] = ()
    """CAs of the utility's own systems (`sep2 receiver`), beside the roots that this machine trusts for the web."""
    timeout_s: Seconds = 30
    """A receiver that has not answered by then is silent: it is left alone for longer than that, longer every time."""
    first_retry_s: Seconds = 10
    longest_retry_s: Seconds = 1800
    """In the first hour a pause is five minutes at most; a receiver's own Retry-After is kept up to the longest."""
    give_up_s: Seconds = 86_400
    """A notification that could not be delivered for so long is dead: an operator sees it and may replay it."""
    at_once: Count = 64
    """Notifications under way at the same time; those that have waited for an answer for a second are not counted."""

    def policy(self, hosts: Iterable[str] = ()) -> Policy:
        """Where the notifications of a client may go that has these hosts of its own."""
        classes = {"http": self.http, "loopback": self.loopback, "private": self.private}
        return Policy(hosts=(*self.hosts, *hosts), **classes, here_only=self.here_only)


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one client, or all of them, may use up."""

    body_bytes: Bytes = 1024 * 1024
    sessions: Count = 20_000
    """Open connections; fewer where the system lets a process open fewer files."""
    sessions_per_client: Count = 200
    """Open connections of one client; for one more the connection ends that was idle longest."""
    handshakes: Count = 2000
    """Connections in their handshake, of all addresses; further ones are closed at once."""
    handshakes_per_address: Count = 500
    """The same of one address; many clients may share one."""
    header_deadline_s: Seconds = 10
    """A connection that has not finished its handshake, or its request's header, by then is closed."""
    body_deadline_s: Seconds = 60
    write_deadline_s: Seconds = 60
    """A connection whose peer reads nothing of its answers for so long is closed."""
    idle_s: Seconds = 1200
    """A connection without a request for so long is closed."""
    drain_s: Annotated[int, Meta(ge=0, le=600)] = 5
    """How long a worker process that ends waits for clients to take an answer that ends their connection."""
    subscriptions: Count = 100_000
    """Per client: an aggregator of ten thousand devices holds about ten for each."""
    mirrors: Count = 100_000
    """MirrorUsagePoints per client."""
    log_events: Annotated[int, Meta(ge=10, le=1_000_000)] = 1000
    """LogEvents per device; the oldest makes room for a new one. The standard has a server keep ten."""
    kept_answers_bytes: Annotated[int, Meta(ge=0, le=64 * 1024**3)] = 32 * 1024 * 1024
    """Memory for answers to GET that are used again while nothing changes what they say; 0: none is kept."""


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long what is over can still be looked up."""

    controls_s: Seconds = 90 * 86_400
    """Ended controls, for the operator; clients see a control until its end."""
    responses_s: Seconds = 90 * 86_400
    """Responses, and the time for which a control still takes them; clients keep theirs through outages of days."""
    readings_s: Seconds = 90 * 86_400
    log_events_s: Seconds = 90 * 86_400
    documents_s: Years = 400 * 86_400
    """Earlier editions of what devices say of themselves; the latest stays."""
    judged_s: Years = 400 * 86_400
    """Intervals in which a limit was not kept."""
    judged_days_s: Years = 7 * 366 * 86_400
    """How limits were kept day by day."""
    measurements_s: Years = 7 * 366 * 86_400
    """Imported measurements, by when they were measured: studies compare several years."""


class Pace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests a minute that one client may make of one server; 0 sets no bound.

    Ten thousand devices behind one aggregator poll and post some five thousand times a minute.
    """

    device: Annotated[int, Meta(ge=0, le=1_000_000)] = 600
    aggregator: Annotated[int, Meta(ge=0, le=1_000_000)] = 30_000


class Primacy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the programs of each connection, the lower wins; groups that operators make have larger ones."""

    override: Annotated[int, Meta(ge=0, le=250)] = 1
    wide_override: Annotated[int, Meta(ge=0, le=250)] = 2
    schedule: Annotated[int, Meta(ge=0, le=250)] = 3
    connection: Annotated[int, Meta(ge=0, le=250)] = 4
    """The connection's own program, with its envelope and its default."""


class Overrides(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an override may last, and how gently many devices are let go at once."""

    longest_s: Annotated[int, Meta(ge=60, le=LONGEST_S)] = 7 * 86_400
    spread_s: Annotated[int, Meta(ge=0, le=655)] = 600
    """Over how long devices go over to looser limits when an override of many places ends; rampTms reaches 655 s."""


class Compliance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How closely limits must be kept, see `sep2 compliance`; of both tolerances the larger counts."""

    tolerance_w: Annotated[int, Meta(ge=0, le=LARGEST_W)] = 100
    tolerance_percent: Annotated[float, Meta(ge=0, le=100)] = 2.0
    """Of the rating that a device reports."""


class Utility(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs from utility to utility. `name` picks the values that a file leaves out."""

    name: str = "aus"
    profile: ProfileName = "csip-aus-1.2"
    """For clients registered without one."""
    registration: Registration = "out-of-band"
    """For clients registered without one."""
    default_export_w: Bound = "none"
    """What a device may export, or one beside its connection's holder generate, that neither a default nor a contract
    bounds, in watts; `none`: nothing bounds it."""
    default_import_w: Bound = "none"
    """The same of what it draws."""
    default_layout: Layout = "merged"
    """Each program's DefaultDERControl with what it inherits from less important programs, or its own alone."""
    connection_move: Literal["ask", "at-once", "refuse"] = "ask"
    """A device that says it is at another connection waits for an operator, moves, or is refused."""
    listed_after_end_s: Annotated[int, Meta(ge=0, le=20)] = 10
    """How long a control stays in its DERControlList after its latest end, for clients whose clocks are behind."""
    load_shed_change_percent: Annotated[float, Meta(ge=0, le=100)] = 10.0
    """Devices with load control say again what they could do without once it differs by so much; 0: they need not."""
    in_band_group: str = ""
    """The group, by its name, that devices join when they register themselves, so that its default holds at once."""
    response_required: Annotated[int, Meta(ge=0, le=7)] = 0x03
    """Of every control: 1 received, 2 started and completed, 4 the customer's choice."""
    default_page: Annotated[int, Meta(ge=0, le=255)] = 1
    """Items of a list asked for without `l`."""
    page_cap: Annotated[int, Meta(ge=1, le=10_000)] = 255
    """Items of a list at most, whatever `l` says."""
    poll_rates: dict[str, int] = field(default_factory=dict)
    """Seconds by resource, see POLLED; resources left out have `poll_rate`."""
    poll_rate: Seconds = 300
    post_rate: Seconds = 300
    """Of mirror usage points."""
    time_quality: Annotated[int, Meta(ge=0, le=7)] = 7
    """Of the Time resource: 3 external source, 4 level 3, 5 level 2, 6 level 1, 7 intentionally uncoordinated."""
    zone: str = ""
    """The time zone by its name, e.g. Australia/Adelaide: local time and daylight saving of the Time resource."""
    tz_offset_s: Annotated[int, Meta(ge=-50_400, le=50_400)] = 0
    dst_offset_s: Annotated[int, Meta(ge=0, le=7200)] = 0
    dst_start: Annotated[int, Meta(ge=0)] = 0
    dst_end: Annotated[int, Meta(ge=0)] = 0
    """These four are local time by numbers, where `zone` names none: one daylight saving, from `dst_start` on."""
    fsa_layout: Literal["per-group", "one"] = "per-group"
    """One FunctionSetAssignments for each group a device is in, or one that holds all its programs."""
    registration_readable: bool = True
    """An aggregator may read the Registration, with the PIN, of a device it manages."""
    identifiers: Literal["per-device", "server-wide"] = "per-device"
    """Whether the mRIDs of mirrors and of their series may be those of another client: they are compared inside their
    own EndDevice and mirror, or over all clients."""
    commissioning: Literal["by-hand", "always"] = "by-hand"
    """Connections are commissioned where an operator opens it, or each that is added from now on."""
    horizon_events: Annotated[int, Meta(ge=4, le=10_000)] = 24
    """Controls that a device holds ahead; envelopes leave two of them to operators."""
    primacy: Primacy = Primacy()
    """For connections that are added from now on."""
    overrides: Overrides = Overrides()
    approvals: Approvals = Approvals()
    floors: dict[str, Floor] = field(default_factory=lambda: dict(FLOORS))
    """Least limits of controllable loads by the name of their rule."""
    floor: str = ""
    """The rule, out of `floors`, of devices that are registered without one; empty: none."""
    requests_per_minute: Pace = Pace()
    """A client that asks more often is held for up to two seconds, then answered 429 and when it may ask again."""
    retention: Retention = Retention()
    compliance: Compliance = Compliance()

    @property
    def default_limits(self) -> PowerLimits:
        """What bounds import and export where nothing else does."""
        import_w, export_w = (
            None if said == "none" else said for said in (self.default_import_w, self.default_export_w)
        )
        return PowerLimits(import_w=import_w, export_w=export_w)

    @property
    def local(self) -> LocalTime:
        """Local time, by which days begin and times are told."""
        return LocalTime(self.zone, self.tz_offset_s)

    def poll_rate_of(self, resource: str) -> int:
        """Seconds between two polls of that resource, unless the operator has set another rate since."""
        return self.poll_rates.get(resource, self.poll_rate)


UTILITIES: dict[str, dict[str, Any]] = {
    "aus": {
        "default_export_w": 1500,
        "poll_rates": {"DeviceCapability": 900, "Time": 900, "EndDeviceList": 900},
    },
    "csip": {"profile": "csip", "response_required": 0x07, "poll_rate": 600, "poll_rates": {"DERList": 300}},
}
"""Named starting points; a table here holds only what differs from the defaults of Utility."""


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server writes on standard error."""

    format: Literal["console", "json"] = "console"
    """Lines for people, or an object of JSON on each line."""
    level: Literal["debug", "info", "warning"] = "info"
    """`debug` also tells of every notification that was delivered."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that `sep2.toml` may say. `Settings()` is valid and reaches a fresh folder's files."""

    mode: Literal["test", "production", "training"] = "test"
    """`training`: a copy to learn on, which reaches nobody outside (`sep2 training make`)."""
    pen: Annotated[int, Meta(ge=1, le=99_999_999)] = DOCUMENTATION_PEN
    """The utility's IANA private enterprise number: the last 8 digits of every mRID made here."""
    clock: Literal["system", "paced"] = "system"
    """`paced` stands still until the operator moves it (`PUT /clock`); for the demo and for rehearsals."""
    listen: Listen = Listen()
    operator: Operator = Operator()
    database: Database = Database()
    measurements: Measurements = Measurements()
    engine: Engine = Engine()
    tls: Tls = Tls()
    receivers: Receivers = Receivers()
    mail: Mail = Mail()
    limits: Limits = Limits()
    log: Log = Log()
    market: Market = Market()
    partner: Partner = Partner()
    utility: Utility = field(default_factory=Utility)
