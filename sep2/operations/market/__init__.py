"""What operators do in the market's register, and in the reviews of its aggregations."""
