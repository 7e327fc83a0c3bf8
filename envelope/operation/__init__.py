"""Envelopes in operation: rounds, publication, premises, and what the operator decides."""
