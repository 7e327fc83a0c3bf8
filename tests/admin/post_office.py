"""A mail server that the tests play: it keeps what it takes, and refuses when it is told to."""

import asyncio
import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.ports import free_ports
from tests.self_signed import self_signed

MAIL_PASSWORD = "of the mail server"


class Post:
    """A mail server that takes mails of who is signed in, and says what it was told to."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
            self.to.append(list(envelope.rcpt_tos))
        return self.answer

    @staticmethod
    def authenticator(server: SMTP, session: Session, envelope: Envelope, mechanism: str, said: Any) -> AuthResult:
        known = LoginPassword(b"sep2", MAIL_PASSWORD.encode())
        return AuthResult(success=isinstance(said, LoginPassword) and said == known)


class Office(Controller):
    """A mail server that hangs up on everybody before it ends: its thread would leave their sockets open."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._peers: list[SMTP] = []

    def factory(self) -> SMTP:
        """The server's side of a new connection."""
        made: SMTP = super().factory()
        self._peers.append(made)
        return made

    def stop(self, no_assert: bool = False) -> None:
        """Hang up, and end."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(60)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        for peer in self._peers:
            if peer.transport is not None:
                peer.transport.abort()
        for _ in range(5):  # a connection is lost in a later turn of the loop
            await asyncio.sleep(0)


@pytest.fixture
def post_office(folder: Path) -> Iterator[tuple[Post, Controller]]:
    """A mail server with a certificate of its own, which asks for STARTTLS and a password."""
    self_signed(folder, "mail")
    (folder / "mail.password").write_text(MAIL_PASSWORD + "\n")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "mail.pem", folder / "mail.key")
    post = Post()
    controller = Office(
        post,
        hostname="127.0.0.1",
        port=free_ports(1)[0],
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=Post.authenticator,
    )
    controller.start()
    yield post, controller
    controller.stop()
