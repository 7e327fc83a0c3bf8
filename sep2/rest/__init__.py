"""What every REST interface here shares: routes, decoding, refusals, paging, idempotency, long polls, OpenAPI."""
