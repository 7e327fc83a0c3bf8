"""Explanations: the constraint that binds a limit, its worst corner, the contributors to it, and reliefs."""
