"""A client that sends exactly the octets it is told to, and takes no answer that 2030.5 clients could not read."""

import asyncio
import ssl
from pathlib import Path
from typing import NamedTuple, Self

from lxml import etree

from certs.identity import Files
from tests.schema import assert_valid

CCM8 = "ECDHE-ECDSA-AES128-CCM8"
XML = "application/sep+xml"
SEP = "urn:ieee:std:2030.5:ns"
AUS = "https://csipaus.org/ns"


class Reply(NamedTuple):
    """One answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def xml(self) -> etree._Element:
        """The root of the document in the body."""
        return etree.fromstring(self.body)

    @property
    def location(self) -> str:
        """Where the new resource is."""
        return self.headers["location"]

    @property
    def reason(self) -> int | None:
        """The reasonCode, where the body is an Error."""
        if not self.body:
            return None
        assert etree.QName(self.xml).localname == "Error"
        return int(self.texts("reasonCode")[0])

    def texts(self, path: str) -> list[str]:
        """The text of every element at a path of names, in whatever namespace they are."""
        return [element.text or "" for element in self.all(path)]

    def all(self, path: str) -> list[etree._Element]:
        """Every element at a path of names."""
        return self.xml.findall("/".join("{*}" + name for name in path.split("/")))

    def href(self, path: str) -> str:
        """The href of the one element at a path of names."""
        (element,) = self.all(path)
        return element.attrib["href"]

    def number(self, name: str) -> int:
        """An attribute of the root, as a number."""
        return int(self.xml.attrib[name])


def context(root: Path, own: Files | None = None, *, ciphers: str = CCM8) -> ssl.SSLContext:
    """TLS as a device speaks it, without any of our code: 1.2, CCM-8, no look at host names."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(ciphers)
    made.check_hostname = False
    made.load_verify_locations(root)
    if own is not None:
        made.load_cert_chain(*own)
    return made


class Raw:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext) -> Self:
        """A connection after its handshake, without a server name as some clients have it."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=""))

    async def get(self, path: str, **headers: str) -> Reply:
        """What is at a path."""
        return await self.ask("GET", path, **headers)

    async def put(self, path: str, body: str) -> Reply:
        """The answer to a PUT."""
        return await self.ask("PUT", path, body.encode())

    async def post(self, path: str, body: str) -> Reply:
        """The answer to a POST."""
        return await self.ask("POST", path, body.encode())

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """The answer to one request; a header given as an empty string is left out."""
        await self.send(request(method, path, body, **headers))
        return await self.read(head=method == "HEAD")

    async def send(self, octets: bytes) -> None:
        """Have the octets on their way."""
        self.writer.write(octets)
        await self.writer.drain()

    async def read(self, *, head: bool = False) -> Reply:
        """The next answer, held to what every answer has to be."""
        block = (await self.reader.readuntil(b"\r\n\r\n")).decode("ascii")
        first, *lines = block.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1", block
        assert len(block) < 2048, "embedded clients read no more"
        assert "transfer-encoding" not in headers, "embedded clients read no chunks"
        assert "server" not in headers
        length = int(headers["content-length"]) if status != "204" else 0
        body = b"" if head else await self.reader.readexactly(length)
        if body:
            assert headers["content-type"] == XML
            assert_valid(body)
        return Reply(int(status), headers, body)

    async def closed(self) -> bool:
        """Whether the server has closed the connection, once it does or says something."""
        try:
            return await self.reader.read(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            return


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The octets of a request."""
    said = {"Host": "localhost"}
    if method in ("PUT", "POST"):
        said |= {"Content-Type": XML, "Content-Length": str(len(body))}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in said.items() if value]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


def document(root: str, content: str = "", attributes: str = "") -> str:
    """A document of the 2030.5 namespace, with csipaus declared."""
    return f'<{root} xmlns="{SEP}" xmlns:csipaus="{AUS}" {attributes}>{content}</{root}>'
