"""Low-voltage feeders and the medium voltage above them, until each is true of the other."""
