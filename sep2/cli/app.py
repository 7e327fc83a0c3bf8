"""The command `sep2`: every command in the order a new operator meets them."""

import typer

from sep2.admin.types import HistoryNoun
from sep2.cli import (
    alarms,
    approvals,
    backstops,
    bulk,
    clients,
    commissioning,
    commitments,
    compliance,
    connections,
    controls,
    curves,
    deliverables,
    ders,
    desk,
    devices,
    dispatches,
    evidence,
    folder,
    groups,
    looking,
    mirrors,
    operators,
    overrides,
    oversight,
    parties,
    places,
    plans,
    receivers,
    restoring,
    reviews,
    settlement,
    shifts,
    telemetry,
    training,
    why,
)
from sep2.cli.lazy import LazyGroup
from sep2.cli.verb import renamed

app = typer.Typer(
    name="sep2",
    cls=LazyGroup,
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
app.command("init")(folder.init)
app.command("serve")(folder.serve)
app.command("migrate")(folder.migrate)
app.add_typer(oversight.root)
app.add_typer(why.root)
app.add_typer(looking.root)
app.add_typer(bulk.root)
app.add_typer(clients.client, name="client")
for alias in ("aggregator", "gateway"):
    app.add_typer(clients.client, name=alias, hidden=True, callback=renamed(alias, "client"))
app.add_typer(places.place, name="place")
app.add_typer(connections.connection, name="connection")
app.add_typer(devices.device, name="device")
app.add_typer(groups.group, name="group")
app.add_typer(groups.default, name="default")
app.add_typer(curves.curve, name="curve")
app.add_typer(controls.control, name="control")
app.add_typer(overrides.override, name="override")
app.add_typer(backstops.backstop, name="backstop")
app.add_typer(approvals.approval, name="approval")
app.add_typer(shifts.shift, name="shift")
app.add_typer(restoring.restore, name="restore")
app.add_typer(training.training, name="training")
app.add_typer(commissioning.commissioning, name="commissioning")
app.add_typer(oversight.subscription, name="subscription")
app.add_typer(alarms.alarm, name="alarm")
app.add_typer(oversight.poll_rate, name="poll-rate")
app.add_typer(mirrors.mirror, name="mirror")
app.add_typer(oversight.audit, name="audit")
app.add_typer(operators.operator, name="operator")
app.add_typer(operators.token, name="token")
app.add_typer(operators.session, name="session")
app.add_typer(desk.desk, name="desk")
app.add_typer(receivers.receiver, name="receiver")
app.add_typer(receivers.root)
app.add_typer(compliance.compliance, name="compliance")
app.add_typer(settlement.root, name="market")
app.add_typer(parties.party, name="party")
app.add_typer(ders.der, name="der")
app.add_typer(deliverables.root, name="aggregation")
app.add_typer(reviews.review, name="review")
app.add_typer(plans.plan, name="plan")
app.add_typer(commitments.commitment, name="commitment")
app.add_typer(dispatches.dispatch, name="dispatch")
app.add_typer(evidence.evidence, name="evidence")
app.add_typer(looking.report, name="report")
app.add_typer(looking.feeder, name="feeder")
app.add_typer(telemetry.reading, name="reading")
app.add_typer(telemetry.rating, name="rating")
app.add_typer(telemetry.device_status, name="device-status")
app.add_typer(telemetry.log_event, name="log-event")
app.add_typer(telemetry.response, name="response")
app.add_typer(telemetry.contact, name="contact")
NOUNS: tuple[tuple[HistoryNoun, typer.Typer], ...] = (
    ("client", clients.client),
    ("place", places.place),
    ("connection", connections.connection),
    ("device", devices.device),
    ("group", groups.group),
    ("curve", curves.curve),
    ("control", controls.control),
    ("override", overrides.override),
    ("mirror", mirrors.mirror),
    ("operator", operators.operator),
    ("token", operators.token),
    ("receiver", receivers.receiver),
)
for noun, nouns_app in NOUNS:
    looking.add_history(noun, nouns_app)
