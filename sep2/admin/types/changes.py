"""Changes of the register: named fields only, new names, other places, and removal."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from sep2.admin.types.base import Protected
from sep2.admin.types.groups import Level, Primacy
from sep2.admin.types.overrides import Digest
from sep2.admin.types.register import Loads, MostLoad, Pin
from sep2.rest.types import Asked, Category, ConnectionId, Host, Lfdi, Seconds, Text, Watts
from sep2.rules.metering import ReadingSign
from sep2.settings import ProfileName, Registration


class ClientChange(Asked, frozen=True, kw_only=True):
    """What is to be said of a client from now on; what is left out stays. `pin` is that of its own EndDevice."""

    enabled: bool | UnsetType = UNSET
    profile: ProfileName | UnsetType = UNSET
    registration: Registration | UnsetType = UNSET
    pen: Annotated[int, Meta(ge=1, le=99_999_999)] | UnsetType | None = UNSET
    receiver_hosts: list[Host] | UnsetType = UNSET
    pin: Pin | UnsetType = UNSET


class DeviceChange(Asked, frozen=True, kw_only=True):
    """What is to be said of a device from now on; what is left out stays."""

    enabled: bool | UnsetType = UNSET
    pin: Pin | UnsetType = UNSET
    post_rate: Seconds | UnsetType | None = UNSET
    device_category: Category | UnsetType | None = UNSET
    floor: Annotated[str, Meta(max_length=40)] | UnsetType | None = UNSET
    """The rule, out of `utility.floors`, that guarantees a least limit to its controllable loads; null: none."""
    controllable_loads: Loads | UnsetType | None = UNSET
    make: Text | UnsetType | None = UNSET
    load_control_w: MostLoad | UnsetType | None = UNSET
    """What it draws at most, where it follows EndDeviceControls; null: it does not."""


class ConnectionChange(Asked, frozen=True, kw_only=True):
    """What is to be said of a connection from now on; what is left out stays, null takes it away."""

    description: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    firm_import_w: Watts | UnsetType | None = UNSET
    firm_export_w: Watts | UnsetType | None = UNSET
    protected: Protected | UnsetType = UNSET


class GroupChange(Asked, frozen=True, kw_only=True):
    """What is to be said of a group from now on; what is left out stays."""

    primacy: Primacy | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=32)] | UnsetType = UNSET


class MirrorChange(Asked, frozen=True, kw_only=True):
    """What is to be said of a mirror from now on; what is left out stays."""

    post_rate: Seconds | UnsetType = UNSET
    reading_sign: ReadingSign | UnsetType = UNSET


class Rename(Asked, frozen=True, kw_only=True):
    """Another name."""

    name: Text


class RenameConnection(Asked, frozen=True, kw_only=True):
    """Another id of a connection."""

    name: ConnectionId


class OtherClient(Asked, frozen=True, kw_only=True):
    """The client that is to act from now on, by its name or LFDI."""

    client: str


class NewCertificate(Asked, frozen=True, kw_only=True):
    """A certificate that is to take the place of the current one; both stand for the client for so long."""

    lfdi: Lfdi
    overlap: Annotated[int, Meta(ge=1, le=366 * 86_400)] = 30 * 86_400


class FinishReplacement(Asked, frozen=True, kw_only=True):
    """End the overlap now; `anyway`: also where the new certificate has not been used yet."""

    anyway: bool = False


class CertificateReplaced(Struct, frozen=True, kw_only=True):
    """The certificate that stands for a client, the other one, what that is, and when the overlap ends or ended."""

    client: str
    current: str
    other: str
    state: str
    until: int


class Remove(Asked, frozen=True, kw_only=True):
    """What becomes of the devices: they are removed too (`with_devices`), or go `to` another one of the same kind."""

    with_devices: bool = False
    to: str | None = None


class RemoveMirror(Asked, frozen=True, kw_only=True):
    """Whether its readings are forgotten too; without, only a mirror that has none is removed."""

    with_readings: bool = False


class Removed(Struct, frozen=True, kw_only=True):
    """What was removed, and how many of each kind depended on it."""

    name: str
    dependants: dict[str, int]
    message: str


class Erase(Asked, frozen=True, kw_only=True):
    """The erasure of what is stored of a connection's customer."""

    digest: Digest = ""


class Erased(Struct, frozen=True, kw_only=True):
    """What was erased: readings, details of the audit log; `label` stands where texts were."""

    connection_id: str
    label: str
    readings: int
    audit_details: int
    needs_second: str
    digest: str


class Moved(Struct, frozen=True, kw_only=True):
    """How many devices another client acts for now."""

    client: str
    devices: int
