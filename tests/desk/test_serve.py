"""`sep2 serve` with the desk: the link that it prints, and that it stops while somebody looks."""

import signal
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli.conftest import say, serving
from tests.ports import free_ports


def test_serve_prints_a_link_that_opens_the_desk_and_stops_while_it_is_open(tmp_path: Path) -> None:
    folder = tmp_path / "utility"
    port, operator_port = free_ports(2)
    assert say("init", str(folder), "--port", str(port), "--operator-port", str(operator_port)).status == 0
    with serving(folder) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        link = urlsplit(next(word for word in line.split() if word.startswith("http://")))
        assert link.port == operator_port
        desk = HTTPConnection("127.0.0.1", operator_port, timeout=120)
        desk.request("GET", f"{link.path}?{link.query}")
        answer = desk.getresponse()
        answer.read()
        assert answer.status == 303
        cookie = {"Cookie": str(answer.getheader("Set-Cookie")).partition(";")[0]}
        desk.request("GET", "/desk", headers=cookie)
        answer = desk.getresponse()
        assert b"<h1>Overview</h1>" in answer.read()
        desk.request("GET", "/desk/events", headers=cookie)
        events = desk.getresponse()
        assert events.readline() == b"event: clock\n"
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) == 0
        events.close()
        desk.close()
