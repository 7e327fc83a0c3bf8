"""What is not known for sure, and what no limit in watts sees, as room that is kept free."""
