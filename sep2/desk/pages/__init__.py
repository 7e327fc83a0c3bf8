"""The pages of the desk: each asks handlers of the operator API and returns what its template shows."""
