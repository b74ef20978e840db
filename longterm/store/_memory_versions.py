"""The source of versions in the store in memory."""

from __future__ import annotations

from longterm.store._step_lock import StepLock


class MemoryVersions:
    """The part of the store that keeps the source of versions."""

    _lock: StepLock

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self._sources: dict[str, bytes] = {}

    def keep_version(self, version: str, source: bytes) -> None:
        with self._lock.alone():
            self._sources.setdefault(version, source)

    def find_version(self, version: str) -> bytes | None:
        with self._lock.alone():
            return self._sources.get(version)

    def find_versions(self, begin: str) -> list[str]:
        with self._lock.alone():
            return sorted(version for version in self._sources if version.startswith(begin))

    def rewrite_version(self, version: str, source: bytes) -> bool:
        with self._lock.alone():
            if version not in self._sources:
                return False
            self._sources[version] = source
        return True
