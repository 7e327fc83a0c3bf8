"""Every command and noun of `sep2`, in the order a new operator meets them; each is imported when it is used."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A command, or a noun with its verbs."""

    name: str
    home: str
    """Module of `sep2.cli` and name: of a function, or of a Typer that is the noun or has the command."""
    summary: str
    """What help says of it in one line."""
    has_history: bool = False
    """Whether the noun has the verb `history`."""
    now_called: str = ""
    """The name that has taken the place of this one, which help leaves out."""


TABLE = (
    Entry("init", "folder:init", "Make a server's folder: settings, database, certificates and the operator's token."),
    Entry("serve", "folder:serve", "Run the server of a folder until it is told to stop (Ctrl-C)."),
    Entry(
        "migrate",
        "folder:migrate",
        "Bring the database of a folder to this version of sep2, after an upgrade; the server must be stopped.",
    ),
    Entry("status", "oversight:root", "How the server is doing: what waits, what failed, which alarms stand."),
    Entry(
        "clock",
        "oversight:root",
        'Move a paced clock (`clock = "paced"` in sep2.toml) forward; `sep2 clock confirm`: '
        "the machine's clock is right.",
    ),
    Entry(
        "why",
        "why:root",
        "Say what limits a connection at a moment: an override, a schedule, its envelope, a group, a default or "
        "contract.",
    ),
    Entry("find", "looking:root", "Find connections, clients, devices and all else by how a name or number begins."),
    Entry(
        "network",
        "looking:root",
        "Places with the worst loading and voltage that is expected below them, the most urgent first.",
    ),
    Entry(
        "calendar",
        "looking:root",
        "What operators have issued over a time: overrides, schedules, controls of groups; alike ones together.",
    ),
    Entry(
        "import", "bulk:root", "Import CSV files into the register: all of it at once, or nothing where a row is wrong."
    ),
    Entry("export", "bulk:root", "Print a part of the register as CSV; imported again, it changes nothing."),
    Entry("apply", "bulk:root", "Have the register say what a file says; what the file does not name stays as it is."),
    Entry("client", "clients:client", "Clients: aggregators and gateways, one certificate each.", has_history=True),
    Entry(
        "aggregator",
        "clients:client",
        "Clients: aggregators and gateways, one certificate each.",
        has_history=True,
        now_called="client",
    ),
    Entry(
        "gateway",
        "clients:client",
        "Clients: aggregators and gateways, one certificate each.",
        has_history=True,
        now_called="client",
    ),
    Entry(
        "place",
        "places:place",
        "Places: the network as a tree, from the system down to transformers.",
        has_history=True,
    ),
    Entry("connection", "connections:connection", "Connections: customers' points in the network.", has_history=True),
    Entry("device", "devices:device", "Devices: inverters, chargers, gateways.", has_history=True),
    Entry("group", "groups:group", "Groups: sets of devices, each with one DERProgram.", has_history=True),
    Entry("default", "groups:default", "Defaults: what holds when no control is active."),
    Entry(
        "curve", "curves:curve", "Curves: what inverters do as voltage, frequency or power changes.", has_history=True
    ),
    Entry(
        "control",
        "controls:control",
        "Controls: limits for an interval, sent to a group, a connection or a device.",
        has_history=True,
    ),
    Entry(
        "override",
        "override_notices:root",
        "Overrides: limits over everything else, for one connection or many, until a certain time.",
        has_history=True,
    ),
    Entry(
        "backstop",
        "backstops:backstop",
        "The last resort: no export, no generation or the least load, of the system or of a substation.",
    ),
    Entry(
        "approval",
        "approvals:approval",
        "What waits for a second person to agree, and drafts that nobody has sent yet.",
    ),
    Entry("shift", "shifts:shift", "The shift log: what stands, notes, and the handover to the next shift."),
    Entry("restore", "restoring:restore", "After a copy of the database was put back: what it lacks."),
    Entry("training", "training:training", "Copies of a server to learn on, which reach nobody outside."),
    Entry(
        "commissioning",
        "commissioning:commissioning",
        "Connections that are commissioned: no flexible limit before they have passed.",
    ),
    Entry("subscription", "oversight:subscription", "Subscriptions, and the notifications that wait for them."),
    Entry("alarm", "alarms:alarm", "Alarms: what asks an operator to act, and what they do about it."),
    Entry("poll-rate", "oversight:poll_rate", "Poll rates: how often clients are asked to look."),
    Entry("mirror", "mirrors:mirror", "Mirrors: what devices have metered, and how often they post.", has_history=True),
    Entry("audit", "oversight:audit", "The audit log: who changed what, and whether the log is whole."),
    Entry("operator", "operators:operator", "Operators: who may use the server, and in which role.", has_history=True),
    Entry("token", "operators:token", "Tokens: what operators and programs show to be let in.", has_history=True),
    Entry("session", "operators:session", "Sessions: browsers that are signed in."),
    Entry("desk", "desk:desk", "The operator's desk, in a browser on this machine."),
    Entry("receiver", "receivers:receiver", "Receivers: systems and people of yours that are told.", has_history=True),
    Entry(
        "state",
        "receivers:root",
        "Connections, each with the limits that hold now, who says them, and the power that was measured last.",
    ),
    Entry(
        "compliance",
        "compliance:compliance",
        "Compliance: how limits were kept, by what meters posted; unknown never counts as kept.",
    ),
    Entry("market", "market_messages:root", "Markets: their rules as data."),
    Entry("party", "parties:party", "Parties of the market: aggregators, system operators, others."),
    Entry("der", "ders:der", "Component DERs: what takes part in markets behind one account."),
    Entry("aggregation", "deliverables:root", "Aggregations: what takes part in a market as one resource."),
    Entry("review", "reviews:review", "Reviews of aggregations: due dates, screens, decisions, letters."),
    Entry("plan", "plans:plan", "Plans: what aggregations intend, and what the network says to it."),
    Entry("commitment", "commitments:commitment", "Commitments: which DER serves which market or program, and when."),
    Entry("dispatch", "dispatches:dispatch", "Dispatch: what the system operator asks of aggregations."),
    Entry("evidence", "evidence:evidence", "Evidence: signed packs of what was settled."),
    Entry("report", "looking:report", "Reports: how limits were kept, over a month or any time."),
    Entry("feeder", "looking:feeder", "Feeders that are modelled: what is expected of them."),
    Entry("reading", "telemetry:reading", "Readings: what meters have posted; power is import positive."),
    Entry("rating", "telemetry:rating", "Ratings and settings that devices have reported."),
    Entry("device-status", "telemetry:device_status", "Status and availability that devices have reported."),
    Entry("log-event", "telemetry:log_event", "LogEvents: what devices reported to have happened."),
    Entry("response", "telemetry:response", "Responses: what devices answered to controls."),
    Entry("contact", "telemetry:contact", "Last contact: when clients and devices were heard of."),
)
