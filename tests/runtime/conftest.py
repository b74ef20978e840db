"""One Postgres server for all tests of this folder that ask for it."""

from tests.store.conftest import fresh_database, server

__all__ = ["fresh_database", "server"]
