"""Studies of a feeder: from its folder to a problem, and from results to figures and plots."""
