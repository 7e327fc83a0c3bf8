"""The feeder model."""
