"""The desk from a wheel: its templates, scripts and styles are packed, and it serves them without the source tree."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY

TRIED = """
from pathlib import Path
import sep2.desk, envelope.operator_pages
assert Path(sep2.desk.__file__).is_relative_to(Path.cwd()), sep2.desk.__file__
from sep2.desk.app import PAGES
from sep2.desk.assets import Assets
from sep2.desk.render import Renderer
from sep2.clock import SteppedClock
from sep2.extension import Extension
from sep2.settings import parse
from types import SimpleNamespace
from envelope.extension import EXTENSION
state = SimpleNamespace(settings=parse({}))
renderer = Renderer(state, Assets(), [EXTENSION])
for page in PAGES:
    renderer._templates.get_template(page.template)
for one in (*EXTENSION.pages, *EXTENSION.panels):
    renderer._templates.get_template(f"envelope/{one.template}")
print("sign in" in renderer.page("sign_in.html", {"title": "sign in", "next": "/desk"}).text)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this tree, unpacked."""
    made = tmp_path_factory.mktemp("wheel")
    # A copy: building leaves files beside the source, and others may build at the same time.
    source = made / "source"
    source.mkdir()
    for name in ("sep2", "envelope", "gridmodel", "certs", "pyproject.toml", "README.md", "LICENSE"):
        subprocess.run(["cp", "-r", str(REPOSITORY / name), str(source / name)], check=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(made), "."]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = made.glob("sep2-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(made / "unpacked")
    return made / "unpacked"


def test_every_file_of_the_desk_is_packed(unpacked: Path) -> None:
    for folder in ("sep2/desk", "envelope/operator_pages", "sep2/store/migrations"):
        there = {path.relative_to(REPOSITORY) for path in (REPOSITORY / folder).rglob("*.*")}
        for path in there:
            assert "__pycache__" in path.parts or (unpacked / path).exists(), path


def test_the_desk_renders_from_the_wheel_alone(unpacked: Path) -> None:
    done = subprocess.run(  # noqa: PLW1510 - what it says is looked at
        [sys.executable, "-c", TRIED],
        cwd=unpacked,
        env={"PYTHONPATH": str(unpacked), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=850,
    )
    assert done.stdout == "True\n", done.stderr
