"""A real handshake over a loopback socket, and what each end made of it."""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from certs.tls import peer_chain

PATIENCE_S = 120


@dataclass
class End:
    """One end's account: why it failed, or what it agreed on and saw."""

    error: str = ""
    suite: str = ""
    resumed: bool = False
    chain: list[bytes] = field(default_factory=list)
    session: ssl.SSLSession | None = None


def meet(server: ssl.SSLContext, client: ssl.SSLContext, *, host: str | None = None, session=None) -> tuple[End, End]:
    """The accounts of server and client after one handshake, one octet each way, and an orderly end."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:
        listener.settimeout(PATIENCE_S)
        served = thread.submit(_serve, listener, server)
        with socket.create_connection(listener.getsockname(), PATIENCE_S) as plain:
            asked = _talk(client, plain, server_hostname=host, session=session)
        return served.result(PATIENCE_S), asked


def _serve(listener, context):
    plain, _ = listener.accept()
    with plain:
        plain.settimeout(PATIENCE_S)
        return _talk(context, plain, server_side=True)


def _talk(context, plain, **how):
    end = End()
    try:
        with context.wrap_socket(plain, **how) as tls:
            end.suite, end.resumed = tls.cipher()[0], tls.session_reused
            end.chain = peer_chain(tls)
            if how.get("server_side"):
                tls.sendall(tls.recv(1))
            else:
                tls.sendall(b"?")
                tls.recv(1)
                end.session = tls.session
            tls.unwrap()
    except ssl.SSLError as problem:
        end.error = problem.reason or str(problem)
    except OSError as problem:
        end.error = type(problem).__name__
    return end
