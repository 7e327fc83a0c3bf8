"""CSIP-AUS: the point where a site meets the network."""

from __future__ import annotations

from sep2.wire.base import Resource
from sep2.wire.declare import wire_aus
from sep2.wire.types import String32


@wire_aus("ConnectionPointType")
class ConnectionPoint(Resource):
    """Where a site meets the network; its id is usually the national meter identifier."""

    connectionPointId: String32
