"""Operation inside the server: rounds that calculate, verify and publish envelopes, and the operator's decisions."""
