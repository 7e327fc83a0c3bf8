"""The operator API: JSON over loopback HTTP behind a token, one route per operations verb."""
