"""What a certificate is issued for."""

from enum import StrEnum


class Kind(StrEnum):
    """On the wire all of them are devices; they differ in policies, and a server's names hosts."""

    DEVICE = "device"
    AGGREGATOR = "aggregator"
    SERVER = "server"
