"""Finding limits: the largest box of exports and imports that keeps the limits in the AC power flow."""
