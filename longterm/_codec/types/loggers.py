"""Loggers, by their names: there is one of each name in a process."""

from __future__ import annotations

import logging
from typing import Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_MOST_CHARACTERS: Final = 500


def _dump(logger: logging.Logger) -> Parts:
    name = None if logger is logging.root else logger.name
    if name is not None and logger.manager.loggerDict.get(name) is not logger:
        raise NotEncodable("logging does not know it by its name", "get it by logging.getLogger")
    if name is not None and len(name) > _MOST_CHARACTERS:
        raise NotEncodable("its name is too long", "get it again after the suspend")
    return [LOGGER.tag, name]


def _load(parts: Parts, decoding: Decoding) -> logging.Logger:
    (name,) = parts
    if name is not None and (type(name) is not str or len(name) > _MOST_CHARACTERS):
        raise TypeError("a logger has a name")
    # Each dot makes logging look for one more logger above, by a name of its own.
    decoding.spend((1 + (name or "").count(".")) * _MOST_CHARACTERS)
    return logging.getLogger(name)


LOGGER: Final = Kind("logger", _load)

FAMILY: Final = Family(
    kinds=(LOGGER,),
    rows=(
        Row(
            logging.Logger,
            logging.RootLogger,
            dump=_dump,
            group="callables and modules",
            note="by name",
        ),
    ),
)
