"""Fairness rules that share a packing `A x <= b`, `0 <= x <= cap`. They know no network."""
