"""The operator's desk: pages in a browser over the handlers of the operator API."""
