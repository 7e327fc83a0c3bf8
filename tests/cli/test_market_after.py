"""After the fact by the command line: dispatch from a file, settlement, evidence and report."""

from datetime import UTC, datetime
from pathlib import Path

from tests.cli.conftest import Sep2


def test_from_a_file_of_dispatch_to_a_verified_pack_and_a_report(sep2: Sep2, tmp_path: Path):
    sep2("party", "add", "After North")
    sold = ["--node", "N17", "--service", "energy", "--inject", "100kW", "--iso-id", "AFTER-1"]
    assert sep2("aggregation", "add", "AVPP", "--party", "After North", "--profile", "pjm", *sold).status == 0
    before = sep2("status", "--json").json["now"]
    assert sep2("clock", "+10m").status == 0
    first = -(-before // 300) * 300
    start, end, issued = (datetime.fromtimestamp(at, UTC).isoformat() for at in (first, first + 300, before))
    file = tmp_path / "dispatch.csv"
    header = "iso_dispatch_id,iso_resource_id,issued_at,start,end,target_kw,kind\n"
    file.write_text(f"{header}A1,AFTER-1,{issued},{start},{end},90,dispatch\n")
    assert sep2("dispatch", "import", str(file), "--dry-run").status == 0
    done = sep2("dispatch", "import", str(file))
    assert done.last_line == "1 new, 0 known before; 0 beyond limits."
    assert "late" in done.out
    assert sep2("dispatch", "import", str(file)).last_line == "0 new, 1 known before; 0 beyond limits."
    (one,) = sep2("dispatch", "list", "--aggregation", "AVPP", "--json").json["items"]
    assert sep2("dispatch", "show", str(one["id"])).status == 0
    span = ["--from", start, "--to", end]
    settled = sep2("market", "settle", "AVPP", *span)
    assert settled.status == 0, settled.err
    assert "cannot tell, 0 of 22 events" in settled.out
    assert sep2("market", "settlement", "AVPP", *span).status == 0
    assert sep2("market", "intervals", "AVPP", *span, "--json").json["total"] == 0
    firm = sep2("market", "firm", "AVPP")
    assert firm.last_line == "AVPP: cannot tell, 0 of 22 events."
    assert "A1" in firm.out
    pack = tmp_path / "pack.zip"
    made = sep2("evidence", "pack", "AVPP", *span, "--to-file", str(pack))
    assert made.status == 0, made.err
    assert sep2("evidence", "verify", str(pack)).status == 0
    number = str(sep2("evidence", "list", "--aggregation", "AVPP", "--json").json["items"][0]["id"])
    again = tmp_path / "again.zip"
    assert sep2("evidence", "save", number, str(again)).status == 0
    assert again.read_bytes() == pack.read_bytes()
    pack.write_bytes(b"PK nothing")
    assert "it is no evidence pack" in sep2("evidence", "verify", str(pack)).out
    found = sep2("market", "report", *span, "--json").json
    assert (found["dispatches"], found["late_dispatches"]) == (1, 1)
