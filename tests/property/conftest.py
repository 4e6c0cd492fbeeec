"""The databases these tests run on."""

from tests.databases import (
    database,
    database_url,
    empty_database_url,
    postgres_cluster,
    postgres_shared,
    shared_database_url,
    sqlite_template,
)

__all__ = [
    "database",
    "database_url",
    "empty_database_url",
    "postgres_cluster",
    "postgres_shared",
    "shared_database_url",
    "sqlite_template",
]
