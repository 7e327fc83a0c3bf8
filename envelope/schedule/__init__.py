"""The result: limits per connection and interval, as data, with its tables, findings and curtailed energy."""
