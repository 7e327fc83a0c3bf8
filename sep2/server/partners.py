"""The port of the market API: mutual TLS for ordinary HTTP clients."""

import contextlib
import logging
import ssl

from aiohttp import web

from sep2.settings.beside import Partner

log = logging.getLogger("sep2")

LONGEST_LINE = 64 * 1024
IDLE_S = 75.0


async def listen_to_partners(
    app: web.Application, partner: Partner, context: ssl.SSLContext, stack: contextlib.AsyncExitStack
) -> None:
    """Listen until the stack unwinds."""
    runner = web.AppRunner(app, access_log=None, max_line_size=LONGEST_LINE, keepalive_timeout=IDLE_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, partner.host, partner.port, ssl_context=context).start()
    log.info("market participants: https://%s:%s/market/v1", partner.host, partner.port)
