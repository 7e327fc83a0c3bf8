"""Routes of the operator API below `/market`: the register, and the reviews of aggregations."""
