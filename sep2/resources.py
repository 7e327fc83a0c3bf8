"""THE table: one row per resource. Paths, methods, links, access and subscriptions are read off it.

Sample paths are those of the standard's Annex A where one fits; whatever holds controls is served under the EndDevice
that it is for, so that no client sees another's.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, get_args, get_type_hints

from sep2 import wire as w
from sep2.functions import dcap, der, derp, drlc, edev, fsa, load_shed, logs, mup, rsps, sub, upt

Handler = Callable[..., Awaitable[Any]]


class Scope(Enum):
    """Who may see a resource."""

    CALLER = "any registered client; what it holds is the caller's own"
    DEVICE = "whoever may act for the EndDevice in the path"
    DER = "the same, where that is a DER: the EndDevice that stands for an aggregator itself is none"
    PROGRAM = "the same, while that is in the group in the path"


class Reads(Enum):
    """How long a representation reads the same; those of other resources are made anew for each request."""

    UNTIL_CHANGED = "until something that it is made of changes"
    UNTIL_TURN = "or until a control begins, gives way or leaves its list, by the clock alone"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One row."""

    name: str
    path: str
    kind: type
    """What a GET returns, and what a PUT replaces."""
    scope: Scope
    get: Handler
    put: Handler | None = None
    post: Handler | None = None
    delete: Handler | None = None
    subscribable: bool = False
    follows: tuple[str, ...] = ()
    """Kinds of change, besides its own, that make this resource read differently: what it embeds or counts."""
    same: Reads | None = None
    """How long an answer may be used again for the same caller."""
    together: frozenset[str] = frozenset()
    """Methods that add to what devices report and decide nothing: several of them may share a transaction."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of the numbers in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    def handler(self, method: str) -> Handler | None:
        """What answers a method, if the resource offers it."""
        handlers = {"GET": self.get, "HEAD": self.get, "PUT": self.put, "POST": self.post, "DELETE": self.delete}
        return handlers.get(method)

    @cached_property
    def posted(self) -> tuple[type, ...]:
        """What may be posted, as the handler says it."""
        body = get_type_hints(self.post)["body"]
        return get_args(body) or (body,)

    @property
    def allow(self) -> str:
        """The methods it offers, as the Allow header says them."""
        return ", ".join(method for method in ("GET", "HEAD", "PUT", "POST", "DELETE") if self.handler(method))


class Table:
    """Rows by name and by the shape of their path."""

    def __init__(self, rows: list[Resource]) -> None:
        self._by_name = {row.name: row for row in rows}
        self._by_shape = {tuple("#" if p[0] == "{" else p for p in _parts(row.path)): row for row in rows}
        self._formats = {row.name: row.path for row in rows}
        self._followers: dict[str, list[Resource]] = {}
        for row in rows:
            for kind in {row.name, *row.follows} if row.subscribable else ():
                self._followers.setdefault(kind, []).append(row)
        if len(self._by_name) != len(rows) or len(self._by_shape) != len(rows):
            raise ValueError("two rows have one name or one shape")

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Resource:
        return self._by_name[name]

    def find(self, path: str) -> tuple[Resource, dict[str, int]] | None:
        """The row at a path, and the numbers in it."""
        parts = _parts(path)
        numbers = [part for part in parts if part.isdecimal()]
        row = self._by_shape.get(tuple("#" if part.isdecimal() else part for part in parts))
        # One spelling for each resource: hrefs are compared as strings.
        if row is None or not all(_plain(number) for number in numbers):
            return None
        return row, dict(zip(row.ids, map(int, numbers), strict=True))

    def locate(self, path: str) -> tuple[str, dict[str, int]] | None:
        """The name of the row at a path, and the numbers in it."""
        found = self.find(path)
        return (found[0].name, found[1]) if found else None

    def href(self, name: str, ids: Mapping[str, int]) -> str:
        """The path of a resource."""
        return self._formats[name].format_map(ids)

    def around(self, name: str, ids: Mapping[str, int], which: str) -> tuple[str, str]:
        """The path of a resource before and after one of its numbers."""
        before, _, after = self._formats[name].format_map({**ids, which: "\0"}).partition("\0")
        return before, after

    def subscribable(self, name: str) -> int:
        """The `subscribable` attribute of a resource."""
        return int(self._by_name[name].subscribable)

    def followers(self, kind: str) -> list[Resource]:
        """The subscribable rows that read differently after a change of that kind."""
        return self._followers.get(kind, [])


def _parts(path: str) -> list[str]:
    return path.split("/")[1:]


def _plain(number: str) -> bool:
    return number.isascii() and len(number) < 19 and (number == "0" or number[0] != "0")


def resource(name: str, path: str, kind: type, scope: Scope, **columns: Any) -> Resource:
    """A row, with the four columns that every row has in front."""
    return Resource(name=name, path=path, kind=kind, scope=scope, **columns)


CALLER, DEVICE, DER, PROGRAM = Scope
UNTIL_CHANGED, UNTIL_TURN = Reads

TABLE = Table(
    [
        resource(
            "DeviceCapability", "/dcap", w.DeviceCapability, CALLER,
            get=dcap.device_capability, same=UNTIL_CHANGED,
        ),
        resource("Time", "/tm", w.Time, CALLER, get=dcap.time),
        resource(
            "EndDeviceList", "/edev", w.EndDeviceList, CALLER,
            get=edev.list_devices, same=UNTIL_CHANGED, post=edev.register,
            subscribable=True, follows=("EndDevice", "FunctionSetAssignmentsList"),
        ),
        resource(
            "EndDevice", "/edev/{edev}", w.EndDevice, DEVICE,
            get=edev.one_device, same=UNTIL_CHANGED, put=edev.change,
            subscribable=True, follows=("FunctionSetAssignmentsList",),
        ),
        resource("Registration", "/edev/{edev}/rg", w.Registration, DEVICE, get=edev.registration),
        resource(
            "ConnectionPoint", "/edev/{edev}/cp", w.ConnectionPoint, DER,
            get=edev.connection_point, same=UNTIL_CHANGED, put=edev.place,
        ),
        resource(
            "FunctionSetAssignmentsList", "/edev/{edev}/fsa", w.FunctionSetAssignmentsList, DER,
            get=fsa.list_assignments, same=UNTIL_CHANGED, subscribable=True, follows=("DERProgram",),
        ),
        resource(
            "FunctionSetAssignments", "/edev/{edev}/fsa/{fsa}", w.FunctionSetAssignments, PROGRAM,
            get=fsa.one_assignments, same=UNTIL_CHANGED,
            subscribable=True, follows=("DERProgram", "FunctionSetAssignmentsList"),
        ),
        resource(
            "DERProgramList", "/edev/{edev}/fsa/{fsa}/derp", w.DERProgramList, PROGRAM,
            get=derp.list_programs, same=UNTIL_TURN, subscribable=True,
            follows=(
                "DERProgram", "DERControlList", "ActiveDERControlList", "DERCurveList", "FunctionSetAssignmentsList",
            ),
        ),
        resource(
            "DERProgram", "/edev/{edev}/derp/{derp}", w.DERProgram, PROGRAM,
            get=derp.one_program, same=UNTIL_TURN,
            subscribable=True, follows=("DERControlList", "ActiveDERControlList", "DERCurveList"),
        ),
        resource(
            "DERControlList", "/edev/{edev}/derp/{derp}/derc", w.DERControlList, PROGRAM,
            get=derp.list_controls, same=UNTIL_TURN, subscribable=True,
        ),
        resource(
            "ActiveDERControlList", "/edev/{edev}/derp/{derp}/actderc", w.DERControlList, PROGRAM,
            get=derp.list_active, same=UNTIL_TURN,
        ),
        resource(
            "DERControl", "/edev/{edev}/derp/{derp}/derc/{derc}", w.DERControl, PROGRAM,
            get=derp.one_control, same=UNTIL_TURN, subscribable=True, follows=("DERControlList",),
        ),
        resource(
            "DefaultDERControl", "/edev/{edev}/derp/{derp}/dderc", w.DefaultDERControl, PROGRAM,
            get=derp.default, same=UNTIL_CHANGED, subscribable=True,
        ),
        # The schema lets nobody subscribe to curves; who subscribes to their program learns that there are others.
        resource(
            "DERCurveList", "/edev/{edev}/derp/{derp}/dc", w.DERCurveList, PROGRAM,
            get=derp.list_curves, same=UNTIL_CHANGED,
        ),
        resource(
            "DERCurve", "/edev/{edev}/derp/{derp}/dc/{dc}", w.DERCurve, PROGRAM,
            get=derp.one_curve, same=UNTIL_CHANGED,
        ),
        # Other views of the same programs and controls: they change when these do.
        resource(
            "DemandResponseProgramList", "/edev/{edev}/fsa/{fsa}/dr", w.DemandResponseProgramList, PROGRAM,
            get=drlc.list_programs, same=UNTIL_TURN, subscribable=True,
            follows=("DERProgram", "DERControlList", "ActiveDERControlList", "FunctionSetAssignmentsList"),
        ),
        resource(
            "DemandResponseProgram", "/edev/{edev}/dr/{derp}", w.DemandResponseProgram, PROGRAM,
            get=drlc.one_program, same=UNTIL_TURN,
        ),
        resource(
            "EndDeviceControlList", "/edev/{edev}/dr/{derp}/edc", w.EndDeviceControlList, PROGRAM,
            get=drlc.list_controls, same=UNTIL_TURN, subscribable=True, follows=("DERControlList",),
        ),
        resource(
            "ActiveEndDeviceControlList", "/edev/{edev}/dr/{derp}/actedc", w.EndDeviceControlList, PROGRAM,
            get=drlc.list_active, same=UNTIL_TURN,
        ),
        resource(
            "EndDeviceControl", "/edev/{edev}/dr/{derp}/edc/{derc}", w.EndDeviceControl, PROGRAM,
            get=drlc.one_control, same=UNTIL_TURN, subscribable=True, follows=("DERControlList",),
        ),
        resource(
            "LoadShedAvailabilityList", "/edev/{edev}/lsl", w.LoadShedAvailabilityList, DER,
            get=load_shed.list_offers, post=load_shed.post_offer,
        ),
        resource(
            "LoadShedAvailability", "/edev/{edev}/lsl/{ls}", w.LoadShedAvailability, DER,
            get=load_shed.one_offer, put=load_shed.put_offer, delete=load_shed.remove_offer,
        ),
        resource("DERList", "/edev/{edev}/der", w.DERList, DER, get=der.list_ders),
        resource("DER", "/edev/{edev}/der/{der}", w.DER, DER, get=der.one_der, subscribable=True),
        resource(
            "DERCapability", "/edev/{edev}/der/{der}/dercap", w.DERCapability, DER,
            get=der.capability, put=der.put_document,
        ),
        resource(
            "DERSettings", "/edev/{edev}/der/{der}/derg", w.DERSettings, DER,
            get=der.settings, put=der.put_document, subscribable=True,
        ),
        resource(
            "DERStatus", "/edev/{edev}/der/{der}/ders", w.DERStatus, DER,
            get=der.status, put=der.put_document, subscribable=True, together=frozenset({"PUT"}),
        ),
        resource(
            "DERAvailability", "/edev/{edev}/der/{der}/dera", w.DERAvailability, DER,
            get=der.availability, put=der.put_document, subscribable=True, together=frozenset({"PUT"}),
        ),
        resource(
            "LogEventList", "/edev/{edev}/lel", w.LogEventList, DEVICE,
            get=logs.list_events, post=logs.post_event, subscribable=True,
        ),
        resource("LogEvent", "/edev/{edev}/lel/{le}", w.LogEvent, DEVICE, get=logs.one_event),
        resource("ResponseSetList", "/edev/{edev}/rsps", w.ResponseSetList, DEVICE, get=rsps.list_sets),
        resource("ResponseSet", "/edev/{edev}/rsps/{rsps}", w.ResponseSet, DEVICE, get=rsps.one_set),
        resource(
            "ResponseList", "/edev/{edev}/rsps/{rsps}/rsp", w.ResponseList, DEVICE,
            get=rsps.list_responses, post=rsps.respond, together=frozenset({"POST"}),
        ),
        resource("Response", "/edev/{edev}/rsps/{rsps}/rsp/{rsp}", w.Response, DEVICE, get=rsps.one_response),
        resource(
            "SubscriptionList", "/edev/{edev}/sub", w.SubscriptionList, DEVICE,
            get=sub.list_subscriptions, post=sub.post_subscription,
        ),
        resource(
            "Subscription", "/edev/{edev}/sub/{sub}", w.Subscription, DEVICE,
            get=sub.one_subscription, put=sub.put_subscription, delete=sub.delete_subscription,
        ),
        resource(
            "MirrorUsagePointList", "/mup", w.MirrorUsagePointList, CALLER,
            get=mup.list_mirrors, post=mup.post_mirror,
        ),
        resource(
            "MirrorUsagePoint", "/mup/{mup}", w.MirrorUsagePoint, CALLER,
            get=mup.one_mirror, put=mup.replace_mirror, post=mup.post_readings, delete=mup.remove_mirror,
            together=frozenset({"POST"}),
        ),
        resource("UsagePointList", "/upt", w.UsagePointList, CALLER, get=upt.list_points),
        resource("UsagePoint", "/upt/{upt}", w.UsagePoint, CALLER, get=upt.one_point),
        resource("MeterReadingList", "/upt/{upt}/mr", w.MeterReadingList, CALLER, get=upt.list_series),
        resource("MeterReading", "/upt/{upt}/mr/{mr}", w.MeterReading, CALLER, get=upt.one_series),
        resource("ReadingType", "/upt/{upt}/mr/{mr}/rt", w.ReadingType, CALLER, get=upt.reading_type),
        resource("LatestReading", "/upt/{upt}/mr/{mr}/r", w.Reading, CALLER, get=upt.latest),
        resource("ReadingSetList", "/upt/{upt}/mr/{mr}/rs", w.ReadingSetList, CALLER, get=upt.list_sets),
        resource("ReadingSet", "/upt/{upt}/mr/{mr}/rs/{rs}", w.ReadingSet, CALLER, get=upt.one_set),
        resource("ReadingList", "/upt/{upt}/mr/{mr}/rs/{rs}/r", w.ReadingList, CALLER, get=upt.list_readings),
        resource("Reading", "/upt/{upt}/mr/{mr}/rs/{rs}/r/{r}", w.Reading, CALLER, get=upt.one_reading),
    ]
)  # fmt: skip
