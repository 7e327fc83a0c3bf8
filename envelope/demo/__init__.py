"""The demonstration: a feeder's day, played through a real server by real clients."""
