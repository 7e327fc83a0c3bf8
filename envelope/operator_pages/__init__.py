"""Pages, panels and routes of the engine for the operator's desk of the server."""
