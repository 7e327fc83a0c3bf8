"""Limits where no network model exists, from what meters say."""
