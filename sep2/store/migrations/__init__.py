"""The one history of the tables, for every package and both databases."""

from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from sep2.errors import SepError


class NotMigrated(SepError):
    """The tables of this database are not those of this version; run `sep2 migrate` first."""


class NewerDatabase(SepError):
    """This database was written by a newer version of sep2, which this version would damage."""


def upgrade(core: Connection) -> None:
    """Take every step that this database has not taken yet, inside the caller's transaction."""
    _refuse_newer(core)
    command.upgrade(config(core), "head")


def require_current(core: Connection) -> None:
    """Refuse a database that is older or newer than this version."""
    _refuse_newer(core)
    found = set(MigrationContext.configure(core).get_current_heads())
    if found != set(scripts().get_heads()):
        raise NotMigrated(f"found {', '.join(sorted(found)) or 'no tables'}")


def config(core: Connection | None = None) -> Config:
    """What Alembic needs to know, without a file of its own, so that an installed package will do."""
    settings = Config()
    settings.set_main_option("script_location", "sep2.store:migrations")
    settings.set_main_option("path_separator", "os")
    settings.set_main_option("file_template", "%%(rev)s")
    settings.attributes["connection"] = core
    return settings


@cache
def scripts() -> ScriptDirectory:
    """Every step, in order."""
    return ScriptDirectory.from_config(config())


def _refuse_newer(core: Connection) -> None:
    known = {script.revision for script in scripts().walk_revisions()}
    if unknown := set(MigrationContext.configure(core).get_current_heads()) - known:
        raise NewerDatabase(f"its revision is {', '.join(sorted(unknown))}")
