"""What a server costs that does nothing: aiohttp and uvloop behind the same TLS, which answers bytes from files."""

import asyncio
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from certs.pki import open_pki
from certs.tls import server_context

MEDIA_TYPE = "application/sep+xml"


async def serve(port: int, pki_folder: Path, bodies: dict[str, bytes]) -> None:
    """Answer each path with its bytes until killed."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.body_exists:
            await request.read()
            return web.Response(status=204)
        return web.Response(body=bodies[request.path_qs], content_type=MEDIA_TYPE)

    pki = open_pki(pki_folder)
    context = server_context(pki.server, pki.trust())
    loop = asyncio.get_running_loop()
    await loop.create_server(web.Server(answer, access_log=None), "127.0.0.1", port, ssl=context)
    await asyncio.Event().wait()


if __name__ == "__main__":
    _, port, pki_folder, *pairs = sys.argv
    bodies = {path: Path(file).read_bytes() for path, file in zip(pairs[::2], pairs[1::2], strict=True)}
    uvloop.run(serve(int(port), Path(pki_folder), bodies))
