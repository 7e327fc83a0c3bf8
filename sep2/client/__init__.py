"""A 2030.5 client: it walks a server by its links, obeys what it is sent and answers for it."""
