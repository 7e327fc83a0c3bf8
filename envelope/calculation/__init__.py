"""The largest box inside the feasible set: allocate, check corners by power flow, correct, repeat."""
