"""The port of the market API: mutual TLS for ordinary HTTP clients."""

import contextlib
import logging
import ssl

from aiohttp import web

from sep2.server.part import Part, sites
from sep2.settings.beside import Partner

log = logging.getLogger("sep2")

LONGEST_LINE = 64 * 1024
IDLE_S = 75.0


async def listen_to_partners(
    app: web.Application,
    partner: Partner,
    context: ssl.SSLContext,
    stack: contextlib.AsyncExitStack,
    *,
    part: Part | None = None,
) -> None:
    """Listen until the stack unwinds; as a worker on the sockets of its parent."""
    runner = web.AppRunner(app, access_log=None, max_line_size=LONGEST_LINE, keepalive_timeout=IDLE_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    bound = None if part is None else part.partners
    for site in sites(runner, (partner.host, partner.port or 0), context, bound):
        await site.start()
    log.info("market participants: https://%s:%s/market/v1", partner.host, partner.port)
