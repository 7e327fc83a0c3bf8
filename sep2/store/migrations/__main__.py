"""Write the next step: what `tables.py` has and the newest step does not lead to."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from sep2.store import migrations


def main(reason: str) -> None:
    """Compare the tables with those that the steps make, and write the difference as a new step, to be read over."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'now.sqlite'}")
        with engine.connect() as core:
            migrations.upgrade(core)
            number = len(list(migrations.scripts().walk_revisions())) + 1
            command.revision(migrations.config(core), reason, autogenerate=True, rev_id=f"r{number:04d}")
        engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].strip():
        sys.exit('usage: make migration REASON="Say what is added"')
    main(sys.argv[1].strip().rstrip("."))
