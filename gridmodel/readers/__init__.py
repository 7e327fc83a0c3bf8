"""Readers: files of other tools into a Network."""
