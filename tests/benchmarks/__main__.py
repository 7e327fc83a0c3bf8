"""`make bench`: run the modules bench_*.py, or those named, and write what they measure to docs/benchmarks.md.

SEP2_BENCH_ROUNDS=1 measures everything about the engine once only, for a quick look.
"""

import ast
import os
import platform
import re
import ssl
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from rich.console import Console

from tests.benchmarks.table import markdown, shown

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "benchmarks.md"
TITLE = """# Measurements

Written by `make bench`; `make bench ARGS="http wire"` measures some parts again and leaves the others as they are.
Each reference was measured in the same run, on the same machine. A ratio above 1 says that we are better, whichever way
the figure counts; *CPU ms* is the processor time that one of them cost our process.
"""


def main(wanted: list[str]) -> None:
    """Measure, show, and write."""
    known = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    if strange := set(wanted) - known.keys():
        sys.exit(f"there is no benchmark {', '.join(sorted(strange))}; there are {', '.join(known)}")
    sections = _written() if PAGE.exists() else {}
    for name in wanted or known:
        title, intro = _said(known[name])
        Console().print(f"[bold]{title}[/] …")
        rows = import_module(f"tests.benchmarks.bench_{name}").rows()
        Console().print(shown(title, rows))
        sections[name] = markdown(title, intro, _measured(), rows)
        # Written after each part: one that fails later does not lose it.
        _write({part: text for part, text in sections.items() if part in known})


def _said(path: Path) -> tuple[str, str]:
    """The title and the introduction that a module's docstring gives."""
    title, _, intro = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem).partition("\n")
    return title.rstrip("."), intro.strip()


def _written() -> dict[str, str]:
    """The sections of the page by the names of their modules."""
    parts = re.split(r"^<!-- (\w+) -->\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: f"{text.rstrip()}\n" for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def _write(sections: dict[str, str]) -> None:
    body = "\n".join(f"<!-- {name} -->\n{sections[name]}" for name in sorted(sections))
    PAGE.write_text(f"{TITLE}\n{body}", encoding="utf-8")


def _measured() -> str:
    """When, and on what kind of machine; not on which one."""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}"
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine}, "
        f"Python {platform.python_version()}, {' '.join(ssl.OPENSSL_VERSION.split()[:2])}."
    )


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


if __name__ == "__main__":
    main(sys.argv[1:])
