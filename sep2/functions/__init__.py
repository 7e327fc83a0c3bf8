"""One module per function set: handlers say what is asked for, views turn rows into types of the wire."""
