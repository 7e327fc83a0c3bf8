"""The 2030.5 server: front, access, TLS, notifier, sweep."""
