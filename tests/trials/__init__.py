"""Long proofs, run by make trials."""
