"""The market API of aggregators: their own facts, plans and verdicts, by the certificates that stand for them."""
