"""The market's rules: profiles as data, clocks, plans, credit, settlement. Pure: no clock of its own, no database."""
