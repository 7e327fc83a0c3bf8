"""E-mail to people, by the utility's own mail server: what waits for one receiver goes into one mail."""

import asyncio
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

from sep2.rules.mail import addresses, subject_of, text_of
from sep2.settings import Mail


class NotSent(Exception):
    """The mail server did not take the mail."""


class Mailer:
    """Sends mails, each over a connection of its own."""

    def __init__(self, settings: Mail, zone: str) -> None:
        self._settings = settings
        self._zone = ZoneInfo(zone) if zone else UTC

    async def send(self, url: str, said: Sequence[Mapping[str, Any]]) -> None:
        """Send messages to the addresses of a mailto: URL; NotSent where the server does not take them for all."""
        if not self._settings.host:
            raise NotSent("mail.host is not set in sep2.toml")
        mail = EmailMessage()
        mail["Subject"], mail["From"] = subject_of(said), self._settings.sender
        mail["To"] = ", ".join(addresses(url))
        mail["Message-ID"] = f"<{said[0]['id']}@{self._settings.sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text_of([(one, self._local(one["at"])) for one in said]))
        await asyncio.to_thread(self._send, mail)

    def _send(self, mail: EmailMessage) -> None:
        settings = self._settings
        try:
            with self._connected() as server:
                if settings.security == "starttls":
                    server.starttls(context=self._context())
                if settings.user:
                    server.login(settings.user, _password(settings))
                refused = server.send_message(mail)
        except (OSError, smtplib.SMTPException) as problem:
            raise NotSent(f"{type(problem).__name__}: {problem}"[:200]) from problem
        if refused:
            raise NotSent(f"refused for {', '.join(refused)}"[:200])

    def _connected(self) -> smtplib.SMTP:
        settings, place = self._settings, (self._settings.host, self._settings.port)
        if settings.security == "tls":
            return smtplib.SMTP_SSL(*place, timeout=settings.timeout_s, context=self._context())
        return smtplib.SMTP(*place, timeout=settings.timeout_s)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        for file in self._settings.authorities:
            context.load_verify_locations(file)
        return context

    def _local(self, at: int) -> str:
        return f"{datetime.fromtimestamp(at, self._zone):%Y-%m-%d %H:%M:%S %z}"


def _password(settings: Mail) -> str:
    return "" if settings.password_file is None else settings.password_file.read_text(encoding="utf-8").strip()
