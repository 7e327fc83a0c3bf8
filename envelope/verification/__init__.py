"""Whether a schedule keeps the limits: power flow at many corners of its box, by an independent solver."""
