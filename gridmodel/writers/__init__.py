"""Writes feeders into files that a utility can read and correct."""
