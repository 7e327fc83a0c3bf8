"""Tests of function sets at their corners, asked over the wire."""
