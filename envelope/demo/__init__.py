"""The demonstration: a feeder's day, simulated with a real server and real clients."""
