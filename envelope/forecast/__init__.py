"""Forecasts of what connections draw by themselves: joint paths, from what had arrived by the time they are made."""
