"""The market's day: two aggregators, two feeders, one system operator, from registration to the evidence."""
