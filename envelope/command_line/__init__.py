"""The commands of `sep2 envelope`, their options and their output."""
