"""Whether a schedule keeps the limits: corners of its box, judged by an independent power flow solver."""
