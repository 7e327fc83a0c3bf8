"""Documents of independent implementations are read as what they say, and they read ours."""

import dataclasses
import inspect
from typing import Any

import py20305.models.sep
import pytest
from envoy_schema.server.schema.csip_aus import connection_point
from envoy_schema.server.schema.sep2 import (
    der,
    device_capability,
    end_device,
    error,
    function_set_assignments,
    log_events,
    metering_mirror,
    pub_sub,
    response,
    time,
)
from py20305.xml.serialization import from_xml, to_xml

from sep2 import wire as w
from tests.wire import samples

ENVOY = [
    (dataclasses.replace(samples.TIME, pollRate=None), time.TimeResponse),
    (samples.CAPABILITY, device_capability.DeviceCapabilityResponse),
    (samples.DEVICE, end_device.EndDeviceResponse),
    (samples.DEVICES, end_device.EndDeviceListResponse),
    (samples.REGISTRATION, end_device.RegistrationResponse),
    (samples.ASSIGNMENTS, function_set_assignments.FunctionSetAssignmentsListResponse),
    (samples.PROGRAM, der.DERProgramResponse),
    (samples.PROGRAMS, der.DERProgramListResponse),
    (samples.CONTROL, der.DERControlResponse),
    (samples.CONTROLS, der.DERControlListResponse),
    (samples.DEFAULT, der.DefaultDERControl),
    (samples.DER_CAPABILITY, der.DERCapability),
    (samples.DER_SETTINGS, der.DERSettings),
    (samples.DER_STATUS, der.DERStatus),
    (samples.DER_AVAILABILITY, der.DERAvailability),
    (samples.RESPONSE, response.DERControlResponse),
    (samples.MIRROR, metering_mirror.MirrorUsagePoint),
    (samples.SUBSCRIPTION, pub_sub.Subscription),
    (samples.NOTIFICATION, pub_sub.Notification),
    (samples.LOG_EVENT, log_events.LogEvent),
    (samples.CONNECTION_POINT, connection_point.ConnectionPointResponse),
    (samples.ERROR, error.ErrorResponse),
]
PY20305 = [
    samples.TIME,
    samples.CAPABILITY,
    samples.DEVICE,
    samples.DEVICES,
    samples.REGISTRATION,
    samples.ASSIGNMENTS,
    samples.PROGRAM,
    samples.PROGRAMS,
    samples.CONTROL,
    samples.CONTROLS,
    samples.DEFAULT,
    samples.DER_CAPABILITY,
    samples.DER_SETTINGS,
    samples.DER_STATUS,
    samples.DER_AVAILABILITY,
    samples.RESPONSE,
    samples.MIRROR,
    samples.SUBSCRIPTION,
    samples.NOTIFICATION,
    samples.LOG_EVENT,
    samples.CURVE,
    samples.ERROR,
]


def named(value: Any) -> str:
    return type(value).__name__ if dataclasses.is_dataclass(value) else ""


@pytest.mark.parametrize(("sent", "theirs"), ENVOY, ids=named)
def test_envoy_schema_reads_ours_and_we_read_its(sent: Any, theirs: Any) -> None:
    profile = w.Profile.CSIP_AUS_1_3  # the namespace that envoy-schema speaks
    read = theirs.from_xml(w.encode(sent, profile))
    returned = read.to_xml(skip_empty=False, exclude_none=True, exclude_unset=True)
    assert w.decode(returned, type(sent), profile=profile) == sent


@pytest.mark.parametrize("sent", PY20305, ids=named)
def test_py20305_reads_ours_and_we_read_its(sent: Any) -> None:
    profile = w.Profile.CSIP_AUS_1_2
    read: Any = from_xml(w.encode(sent, profile), model(type(sent).__name__))
    returned = to_xml(read, include_csipaus=True)
    assert without_defaults(w.decode(returned, type(sent), profile=profile)) == without_defaults(sent)


def model(name: str) -> type[Any]:
    """The class of py20305 whose documents have this root."""
    classes = [c for c in vars(py20305.models.sep).values() if inspect.isclass(c) and hasattr(c, "Meta")]
    return next(
        c for c in classes if getattr(c.Meta, "namespace", None) and getattr(c.Meta, "name", c.__name__) == name
    )


def without_defaults(value: Any) -> Any:
    """The object without what py20305 always says: subscribable 0, pollRate 900, no response."""
    if isinstance(value, list):
        return [without_defaults(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    defaults = {f.name: f.mark.default for f in w.layout(type(value)).attributes}
    changes = {}
    for field in dataclasses.fields(value):
        said = getattr(value, field.name)
        meant = (
            said is not None and defaults.get(field.name) is not None and int(said) == int(str(defaults[field.name]))
        )
        changes[field.name] = None if meant else without_defaults(said)
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]
