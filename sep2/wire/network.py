"""Network status: interfaces, addresses and routes of a device."""

from __future__ import annotations

from dataclasses import field

from sep2.wire.base import List, PollRate, Resource
from sep2.wire.declare import wire
from sep2.wire.links import (
    IPAddrListLink,
    LLInterfaceListLink,
    NeighborListLink,
    RPLInstanceListLink,
    RPLSourceRoutesListLink,
)
from sep2.wire.types import HexBinary8, HexBinary64, HexBinary128, Int64, String16, String192, UInt8, UInt16, UInt32


@wire
class IEEE_802_15_4:
    """The state of an IEEE 802.15.4 interface."""

    capabilityInfo: HexBinary8
    NeighborListLink: NeighborListLink | None = None
    shortAddress: UInt16


@wire
class IPAddr(Resource):
    """An address of an interface."""

    address: HexBinary128
    RPLInstanceListLink: RPLInstanceListLink | None = None


@wire
class IPAddrList(List):
    """The addresses of an interface."""

    IPAddr: list[IPAddr] = field(default_factory=list)


@wire
class IPInterface(Resource):
    """The counters of an IP interface."""

    ifDescr: String192 | None = None
    ifHighSpeed: UInt32 | None = None
    ifInBroadcastPkts: UInt32 | None = None
    ifIndex: UInt32 | None = None
    ifInDiscards: UInt32 | None = None
    ifInErrors: UInt32 | None = None
    ifInMulticastPkts: UInt32 | None = None
    ifInOctets: UInt32 | None = None
    ifInUcastPkts: UInt32 | None = None
    ifInUnknownProtos: UInt32 | None = None
    ifMtu: UInt32 | None = None
    ifName: String16 | None = None
    ifOperStatus: UInt8 | None = None
    ifOutBroadcastPkts: UInt32 | None = None
    ifOutDiscards: UInt32 | None = None
    ifOutErrors: UInt32 | None = None
    ifOutMulticastPkts: UInt32 | None = None
    ifOutOctets: UInt32 | None = None
    ifOutUcastPkts: UInt32 | None = None
    ifPromiscuousMode: bool | None = None
    ifSpeed: UInt32 | None = None
    ifType: UInt16 | None = None
    IPAddrListLink: IPAddrListLink | None = None
    lastResetTime: Int64 | None = None
    lastUpdatedTime: Int64 | None = None
    LLInterfaceListLink: LLInterfaceListLink | None = None


@wire
class IPInterfaceList(List):
    """The IP interfaces of a device."""

    pollRate: PollRate = None
    IPInterface: list[IPInterface] = field(default_factory=list)


@wire
class loWPAN:
    """The counters of a 6LoWPAN interface."""

    octetsRx: UInt32 | None = None
    octetsTx: UInt32 | None = None
    packetsRx: UInt32
    packetsTx: UInt32
    rxFragError: UInt32


@wire
class LLInterface(Resource):
    """The counters of a link-layer interface."""

    CRCerrors: UInt32
    EUI64: HexBinary64
    IEEE_802_15_4: IEEE_802_15_4 | None = None
    linkLayerType: UInt8
    LLAckNotRx: UInt32 | None = None
    LLCSMAFail: UInt32 | None = None
    LLFramesDropRx: UInt32 | None = None
    LLFramesDropTx: UInt32 | None = None
    LLFramesRx: UInt32 | None = None
    LLFramesTx: UInt32 | None = None
    LLMediaAccessFail: UInt32 | None = None
    LLOctetsRx: UInt32 | None = None
    LLOctetsTx: UInt32 | None = None
    LLRetryCount: UInt32 | None = None
    LLSecurityErrorRx: UInt32 | None = None
    loWPAN: loWPAN | None = None


@wire
class LLInterfaceList(List):
    """The link-layer interfaces below an IP interface."""

    LLInterface: list[LLInterface] = field(default_factory=list)


@wire
class Neighbor(Resource):
    """A neighbour on an IEEE 802.15.4 network."""

    isChild: bool
    linkQuality: UInt8
    shortAddress: UInt16


@wire
class NeighborList(List):
    """The neighbours on an IEEE 802.15.4 network."""

    Neighbor: list[Neighbor] = field(default_factory=list)


@wire
class RPLInstance(Resource):
    """A routing instance of RPL."""

    DODAGid: UInt8
    DODAGroot: bool
    flags: UInt8
    groundedFlag: bool
    MOP: UInt8
    PRF: UInt8
    rank: UInt16
    RPLInstanceID: UInt8
    RPLSourceRoutesListLink: RPLSourceRoutesListLink | None = None
    versionNumber: UInt8


@wire
class RPLInstanceList(List):
    """The routing instances of an address."""

    RPLInstance: list[RPLInstance] = field(default_factory=list)


@wire
class RPLSourceRoutes(Resource):
    """A source route of RPL."""

    DestAddress: HexBinary128
    SourceRoute: HexBinary128


@wire
class RPLSourceRoutesList(List):
    """The source routes of a routing instance."""

    RPLSourceRoutes: list[RPLSourceRoutes] = field(default_factory=list)
