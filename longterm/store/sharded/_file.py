"""The file `shards.toml`: a path in, the servers and epochs that it names out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from longterm.errors import StoreError
from longterm.store.sharded._epochs import Epoch


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file says."""

    urls: Mapping[str, str]
    """The URL of each server, by its name."""
    epochs: tuple[Epoch, ...]


def read_file(path: str) -> Layout:
    """Return what a file says; it is looked at no further than that.

    Raises:
        StoreError: it cannot be read, or is no such file. No URL is shown.
    """
    try:
        with open(path, "rb") as file:
            written = tomllib.load(file)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror} (check the path)") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # What it says of the text could be a part of a password.
        at = str(error).rpartition("(at ")[2].rstrip(")")
        raise StoreError(f"{path} is no TOML: see {at} (mend it)") from None
    return Layout(_urls(path, written), _epochs(path, written))


def _urls(path: str, written: dict[str, Any]) -> dict[str, str]:
    servers = written.get("servers")
    if (
        not isinstance(servers, dict)
        or not servers
        or not all(isinstance(url, str) for url in servers.values())
    ):
        raise StoreError(
            f"{path} names no servers, or one without a URL "
            '(write [servers], and under it a = "postgresql://host/database")'
        )
    return dict(servers)


_EPOCH: Final = 'under it since = 2026-12-01T00:00:00Z and servers = ["a", "b"]'


def _epochs(path: str, written: dict[str, Any]) -> tuple[Epoch, ...]:
    if others := sorted(written.keys() - {"servers", "epochs"}):
        raise StoreError(f"{path} has {others[0]!r}, which means nothing (leave it out)")
    epochs = written.get("epochs")
    if not isinstance(epochs, list) or not all(isinstance(one, dict) for one in epochs):
        raise StoreError(f"{path} has no epochs (write [[epochs]], and {_EPOCH})")
    return tuple(_epoch(path, one, written["servers"]) for one in epochs)


def _epoch(path: str, written: dict[str, Any], urls: Mapping[str, str]) -> Epoch:
    since, names = written.get("since"), written.get("servers")
    if (
        not isinstance(since, datetime)
        or since.utcoffset() is None
        or not isinstance(names, list)
        or written.keys() != {"since", "servers"}
    ):
        raise StoreError(
            f"an epoch in {path} is not what it should be (write [[epochs]], and {_EPOCH})"
        )
    for name in names:
        if not isinstance(name, str) or name not in urls:
            raise StoreError(
                f"{path} has an epoch with server {name!r}, which [servers] does not name "
                "(add its URL there)"
            )
    return Epoch(since.astimezone(UTC), tuple(names))
