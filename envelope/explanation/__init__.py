"""Which constraint binds a limit, at which corner, who contributes to it, and what would relieve it."""
