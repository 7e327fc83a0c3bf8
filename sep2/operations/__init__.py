"""The one door for every change: a change and the word of it commit together.

Each verb takes a write Connection and `now`; whoever calls it opens and closes the transaction.
"""
