"""`python -m migrations "Add bills"` writes the next revision: what the models have and the revisions lack.

It is a draft. Check it by hand, say in its first line what it does, and add what no comparison sees: triggers, data.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from core.db import alembic_config, async_url, migrate, on_connection

if len(sys.argv) != 2:
    sys.exit(__doc__)

with tempfile.TemporaryDirectory() as folder:
    url = f"sqlite:///{Path(folder) / 'draft.db'}"
    migrate(url)
    config = alembic_config()
    count = len(list((Path(__file__).parent / "versions").glob("[0-9]*.py")))

    def draft(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.revision(config, message=sys.argv[1], autogenerate=True, rev_id=f"{count + 1:04}")

    on_connection(async_url(url), draft)
