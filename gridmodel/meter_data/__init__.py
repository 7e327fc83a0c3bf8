"""Meter readings of a feeder, and the phases that they suggest."""
