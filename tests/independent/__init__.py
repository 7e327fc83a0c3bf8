"""An independent check of published limits: own circuits, own power flow, own search for the worst corner.

Nothing here uses the project's readers, network model or engine. A circuit is written for OpenDSS from a feeder's raw
tables; limits are read from the file that a client's limits come from. What the search finds, OpenDSS confirms.
"""
