"""The one history of the tables, for every package and both databases.

Alembic takes the steps. A database that is current is known by the text of the steps alone: importing Alembic and every
step takes longer than all else that a start does to its database.
"""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from sep2.errors import SepError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_STEP = re.compile(r'^(revision|down_revision) = "(\w+)"$', re.MULTILINE)
_TABLE = "alembic_version"


class NotMigrated(SepError):
    """The tables of this database are not those of this version; run `sep2 migrate` first."""


class NewerDatabase(SepError):
    """This database was written by a newer version of sep2, which this version would damage."""


def upgrade(core: Connection) -> None:
    """Take every step that this database has not taken yet, inside the caller's transaction."""
    from alembic import command

    _refuse_newer(core)
    command.upgrade(config(core), "head")


def require_current(core: Connection) -> None:
    """Refuse a database that is older or newer than this version."""
    found = _found(core)
    if found != _newest():
        _refuse_newer(core)
        raise NotMigrated(f"found {', '.join(sorted(found)) or 'no tables'}")


def config(core: Connection | None = None) -> "Config":
    """What Alembic needs to know, without a file of its own, so that an installed package will do."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", "sep2.store:migrations")
    settings.set_main_option("path_separator", "os")
    settings.set_main_option("file_template", "%%(rev)s")
    settings.attributes["connection"] = core
    return settings


@cache
def scripts() -> "ScriptDirectory":
    """Every step, in order."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(config())


def _refuse_newer(core: Connection) -> None:
    known = {script.revision for script in scripts().walk_revisions()}
    if unknown := _found(core) - known:
        raise NewerDatabase(f"its revision is {', '.join(sorted(unknown))}")


def _found(core: Connection) -> set[str]:
    """The steps at which a database is; none where it has no tables."""
    if not inspect(core).has_table(_TABLE):
        return set()
    return set(core.scalars(text(f"SELECT version_num FROM {_TABLE}")))  # noqa: S608 - a constant


@cache
def _newest() -> set[str]:
    """The steps that no other step follows."""
    files = (Path(__file__).parent / "versions").glob("*.py")
    said = [match for file in files for match in _STEP.findall(file.read_text("utf-8"))]
    return {name for kind, name in said if kind == "revision"} - {name for kind, name in said if kind != "revision"}
