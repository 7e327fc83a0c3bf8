"""A utility server for distributed energy: IEEE 2030.5, CSIP and CSIP-AUS over mutual TLS."""

__version__ = "0.1.0"
