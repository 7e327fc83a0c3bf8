"""Devices that are added, removed and added again; PINs that the operator chooses; options that would do nothing."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from certs.identity import Files
from certs.inspect import read as read_certificate
from tests.cli.conftest import Said, Sep2, lfdi_of, say
from tests.raw import Raw, Reply, context, document


def ok(done: Said) -> Said:
    assert done.status == 0, done.err or done.out
    return done


def ask(folder: Path, name: str, method: str, path: str, body: str = "") -> Reply:
    """What the server answers to the certificate of that name, over a connection of its own."""

    async def asked() -> Reply:
        port = tomllib.loads((folder / "sep2.toml").read_text())["listen"]["port"]
        raw = await Raw.open(port, context(folder / "pki" / "root.pem", Files.named(folder / "pki", name)))
        try:
            return await raw.ask(method, path, body.encode())
        finally:
            await raw.close()

    return asyncio.run(asked())


def pin_of(folder: Path, name: str) -> str:
    """The pIN that a client reads in the Registration of its own EndDevice."""
    (link,) = ask(folder, name, "GET", "/edev?l=1").all("EndDevice/RegistrationLink")
    return ask(folder, name, "GET", link.attrib["href"]).texts("pIN")[0]


def test_a_certificate_is_added_again_after_its_device_was_removed(sep2: Sep2, folder: Path) -> None:
    """Until then it may not even connect, so that no device that registers itself comes back by itself."""
    ok(sep2("connection", "add", "AGAIN1"))
    add = ("device", "add", "again", "--issue", str(folder / "pki"), "--connection", "AGAIN1", "--pin", "111115")
    first = ok(sep2(*add))
    assert "has PIN 111115" in first.last_line
    assert pin_of(folder, "again") == "111115"
    twice = sep2(*add)
    assert (twice.status, "after `sep2 device remove LFDI`" in twice.err) == (1, True)

    lfdi = read_certificate(folder / "pki" / "again.pem")[0].lfdi
    removed = ok(sep2("device", "remove", lfdi)).last_line
    assert "again may no longer connect; its certificate can be added again" in removed
    assert ask(folder, "again", "GET", "/dcap").status == 404

    ok(sep2(*add[:-1], "222220"))
    assert pin_of(folder, "again") == "222220"
    assert ok(sep2("device", "show", lfdi, "--json")).json["connection_id"] == "AGAIN1"
    assert [one["verb"] for one in ok(sep2("audit", "list", "--json")).json["items"]].count("remove_device") >= 1


def test_an_expected_device_has_the_pin_that_was_chosen(sep2: Sep2, folder: Path) -> None:
    ok(sep2("device", "expect", "pinned", "--issue", str(folder / "pki"), "--pin", "011116"))
    entry = document("EndDevice", "<sFDI>1</sFDI><changedTime>0</changedTime>")
    assert ask(folder, "pinned", "POST", "/edev", entry).status == 201
    assert pin_of(folder, "pinned") == "11116"

    lfdi = read_certificate(folder / "pki" / "pinned.pem")[0].lfdi
    ok(sep2("device", "remove", lfdi))
    assert ask(folder, "pinned", "POST", "/edev", entry).status == 404, "it does not come back by itself"
    ok(sep2("device", "expect", "pinned", "--issue", str(folder / "pki")))
    ok(sep2("aggregator", "block", "pinned"))
    said = ok(sep2("device", "add", "now added", "--lfdi", lfdi, "--pin", "333335")).last_line
    assert "It was registered before" in said
    assert f"It is still shut out; to let it in: sep2 client admit {lfdi}" in said
    assert ask(folder, "pinned", "GET", "/edev").status == 404
    ok(sep2("aggregator", "admit", lfdi))
    assert pin_of(folder, "pinned") == "333335"


def test_an_aggregator_has_the_pin_that_was_chosen(sep2: Sep2, folder: Path) -> None:
    ok(
        sep2(
            "aggregator", "add", "Pinned & Co", "--issue", str(folder / "pki"), "--pin", "444440", "--connection", "P1"
        )
    )
    assert pin_of(folder, "Pinned---Co") == "444440"


@pytest.mark.parametrize(
    "words",
    [
        "device add a --lfdi {lfdi} --pin 123456",
        "device expect a --lfdi {lfdi} --pin 7",
        "aggregator add a --lfdi {lfdi} --pin 999998",
        "aggregator add a --lfdi {lfdi} --pin 12345678",
    ],
)
def test_a_pin_has_its_check_digit(sep2: Sep2, words: str) -> None:
    lfdi = lfdi_of("returning")
    refused = sep2(*words.format(lfdi=lfdi).split())
    assert (refused.status, "digits whose sum is a multiple of ten" in refused.err) == (1, True)
    assert not [one for one in ok(sep2("aggregator", "list", "--json")).json["items"] if one["lfdi"] == lfdi]


IDLE = {
    "device add --client Idle --profile csip": "--profile does nothing with --client",
    "device add gateway --lfdi {lfdi} --no-net-limit": "--no-net-limit does nothing without --connection",
    "control send --group g --export 0 --watch --dry-run": "--watch does nothing with --dry-run",
    "subscription list --waiting --dead": "give --waiting or --dead",
    "wire DERControl --page": "NAME does nothing with --page",
    "wire --page --json": "--json does nothing with --page",
    "wire --json": "--json does nothing without NAME",
    "schema --csipaus --into {folder}": "--csipaus does nothing with --into",
    "init {taken} --name der.example": "--name does nothing",
}


@pytest.mark.parametrize("words", IDLE)
def test_an_option_that_would_do_nothing_is_refused(sep2: Sep2, tmp_path: Path, words: str) -> None:
    """It is not ignored: whoever gave it meant something by it."""
    taken = tmp_path / "taken"
    if "{taken}" in words:
        (taken / "pki").mkdir(parents=True)
        (taken / "pki" / "server.key").touch()
    said = words.format(lfdi=lfdi_of("refused"), folder=tmp_path, taken=taken).split()
    done = sep2(*said) if said[0] not in ("wire", "schema", "init") else say(*said)
    assert done.status == 2, done.out
    assert IDLE[words].partition(" does")[0] in " ".join(done.err.split())
