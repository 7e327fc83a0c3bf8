"""CIM and CGMES through pandapower's converter: the profiles of one grid as XML files, in a folder or a ZIP file."""

from __future__ import annotations

import logging
import tempfile
import warnings
import zipfile
from collections.abc import Iterable
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridmodel.errors import FileError
from gridmodel.model.equipment import Equipment
from gridmodel.model.findings import Finding
from gridmodel.readers.cim_classes import left_out

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 4 * 2**30
"""of all files of a ZIP file together, unpacked"""
CIM = "http://iec.ch/TC57/"
"""with which the namespace of CIM begins"""
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}RDF"


def is_cim(path: Path) -> bool:
    """Whether these are CIM files: one, a folder of them, or a ZIP file."""
    if path.is_file():
        return path.suffix.lower() in (".xml", ".zip")
    return path.is_dir() and any(path.glob("*.xml")) and not (path / "nodes.csv").is_file()


def read_equipment(path: Path) -> Equipment:
    """Equipment of the profiles, as pandapower's converter understands them."""
    from gridmodel.readers import pandapower

    with _unpacked(path) as files:
        if not files:
            raise FileError(path, "holds no XML files of CIM")
        for file in files:
            _refuse_strange(file, path)
        others = _left_out(files, path)
        net = _converted(files, path)
    equipment = pandapower.read_equipment(net, name=path.stem)
    said = f"{len(files)} profiles of CIM, converted by pandapower"
    own = Finding("note", "converted", path.name, "file", said)
    return replace(equipment, findings=(own, *others, *equipment.findings))


def _left_out(files: Iterable[Path], path: Path) -> list[Finding]:
    from lxml import etree

    try:
        return left_out(files, path)
    except etree.XMLSyntaxError as wrong:
        raise FileError(path, f"is no XML: {wrong}") from None


@contextmanager
def _unpacked(path: Path) -> Iterator[list[Path]]:
    """The XML files, those of a ZIP file in a temporary folder."""
    with tempfile.TemporaryDirectory() if path.suffix.lower() == ".zip" else nullcontext("") as folder:
        if folder:
            yield list(_members(path, Path(folder)))
        else:
            yield sorted(path.glob("*.xml")) if path.is_dir() else [path]


def _members(path: Path, folder: Path) -> Iterator[Path]:
    """Writes the XML files of a ZIP file, by numbers instead of their names."""
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            for number, member in enumerate(archive.infolist()):
                if member.filename.lower().endswith(".xml"):
                    left -= member.file_size
                    if left < 0:
                        raise FileError(path, f"is larger than {MOST_BYTES / 2**30:g} GiB when it is unpacked")
                    file = folder / f"{number}.xml"
                    with archive.open(member) as packed, file.open("wb") as out:
                        _copy(packed, out, member.file_size, path)
                    yield file
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as wrong:
        raise FileError(path, f"is no ZIP file that can be read: {wrong}") from None


def _copy(packed: Any, out: Any, size: int, path: Path) -> None:
    """As many bytes as the archive says that there are, and no more."""
    while block := packed.read(2**20):
        size -= len(block)
        if size < 0:
            raise FileError(path, "holds a file that is larger than it says")
        out.write(block)


def _refuse_strange(file: Path, path: Path) -> None:
    """Refuse XML that is no CIM, or that defines entities."""
    from lxml import etree

    try:
        with file.open("rb") as opened:
            parser = etree.iterparse(
                opened, events=("start",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
            )
            _, root = next(iter(parser))
    except (etree.XMLSyntaxError, OSError, StopIteration) as wrong:
        raise FileError(path, f"{_called(file, path)}is no XML: {wrong}") from None
    if root.getroottree().docinfo.doctype:
        raise FileError(path, f"{_called(file, path)}has a document type, which may name other files")
    if root.tag != RDF or not any(str(space).startswith(CIM) for space in root.nsmap.values()):
        raise FileError(path, f"{_called(file, path)}is no CIM: its root is {root.tag}")


def _called(file: Path, path: Path) -> str:
    """Name of one of several files."""
    return "" if file == path else f"{file.name} "


def _converted(files: Iterable[Path], path: Path) -> Any:
    try:
        from pandapower.converter.cim.cim2pp import from_cim
    except ImportError as wrong:
        raise FileError(path, "CIM takes pandapower's converter: install sep2[envelope]") from wrong
    logger = logging.getLogger("pandapower")
    level = logger.level
    # Its tracebacks about what it leaves out are no answer to anyone; the network is checked after.
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return from_cim.from_cim(file_list=[str(file) for file in files])
    except Exception as wrong:
        said = " ".join(str(wrong).split()) or type(wrong).__name__
        raise FileError(path, f"pandapower's converter cannot read it: {said}") from None
    finally:
        logger.setLevel(level)
