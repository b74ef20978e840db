"""A store over several independent servers: the id of a run says on which it is."""

from longterm.store.sharded._epochs import Epoch
from longterm.store.sharded._store import Sharded

__all__ = ["Epoch", "Sharded"]
