"""Pure decisions of the protocol; the time is always an argument."""
