"""Limits of an override that are not the same at every place."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.operations.issuing import limits_of
from sep2.operations.places import Place, places_of
from sep2.rules.limits import Limits


def encoded(shares: Mapping[str, Limits]) -> str:
    """The limits by place as they are stored."""
    return json.dumps({key: list(limits) for key, limits in shares.items()}, sort_keys=True)


def decoded(row: Row[Any]) -> dict[str, Limits]:
    """The limits by place of a stored override; empty where they are the same everywhere."""
    return {key: Limits(*limits) for key, limits in json.loads(row.shares).items()}


def limits_at(row: Row[Any], place: Place) -> Limits:
    """What a stored override asks for at a place."""
    return limits_by(row, place.key)


def limits_by(row: Row[Any], key: str) -> Limits:
    """The same by the key of the place."""
    if row.shares == "{}":
        return limits_of(row)
    said = json.loads(row.shares).get(key)
    return limits_of(row) if said is None else Limits(*said)


def shared_with(devices: Sequence[Row[Any]], shares: Mapping[str, Limits]) -> Sequence[Row[Any]]:
    """Those of some devices that are at a place with a share; all of them where the limits are the same everywhere."""
    if not shares:
        return devices
    there = {device.id for place in places_of(devices) if place.key in shares for device in place.devices}
    return [device for device in devices if device.id in there]
