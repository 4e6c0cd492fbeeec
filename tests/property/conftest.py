"""The databases these tests run on."""

from tests.databases import database, database_url, empty_database_url, postgres_cluster, sqlite_template

__all__ = ["database", "database_url", "empty_database_url", "postgres_cluster", "sqlite_template"]
