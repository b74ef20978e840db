"""Read items back into an object graph.

In: the bytes after the header. Out: the root. The whole input is first stepped over without making
anything, so that a length which the input does not hold is found before memory is taken for it.
What is read may be anything: its exact type is looked at before it is iterated, called, hashed or
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final

from msgpack import Unpacker, unpackb
from msgpack.exceptions import ExtraData, OutOfData, StackError

from longterm._codec import trust, wire
from longterm._codec.collector import WORTH_IT_BYTES, with_collector_at_rest
from longterm._codec.decode.decoding import (
    FRAGILE_DEPTH,
    MANY_KEYS,
    MANY_KEYS_BYTES,
    Decoding,
)
from longterm._codec.introspect import is_exactly
from longterm._codec.types.frames import check_names, whole_frame
from longterm._codec.types.instructions import NEW, Contents, Placeholder
from longterm._codec.types.kinds import Kind, Parts, StoredModule
from longterm._codec.types.registry import CAREFUL_READERS, KINDS, READERS
from longterm._signals import is_of_signal
from longterm.errors import CannotLoad, CorruptData, LongtermError, NotAllowed, ValueRaised

_REFERENCE: Final = wire.REFERENCE
_TAG: Final = wire.TAG
_CAREFUL: Final = frozenset({wire.TYPE, wire.CLASS, wire.PATTERN, wire.MODULE})
_INSTRUCTIONS: Final = NEW.code
"""The first code of those kinds that are no values."""
_HARMLESS: Final = 1_024
"""Bytes of which no lengths can cost much: msgpack takes none that is beyond all of the input, and
of 200 arrays inside each other, each of 1,000 elements, every one takes 8 kB."""
_SHORT_INTEGER: Final = 256
"""Bytes of an integer that is hashed in no time, however often."""
_MISPLACED_TAG: Final = "the stored bytes are damaged: a tag stands where none may"


def decode_body(layout: int, data: memoryview) -> Any:
    """Return the root of what follows the header.

    Raises:
        CorruptData: the bytes are not what the codec wrote.
        NotAllowed: they name what is not here or not allowed.
        CannotLoad: a class has changed so that what was stored of it cannot be made.
        ValueRaised: code of the application's own raised, such as the hash of a key.
    """
    try:
        if len(data) > _HARMLESS:
            check_lengths(data)
        if len(data) < WORTH_IT_BYTES:
            return _root(layout, data)
        # The collector would look through all that is made, again and again, and find nothing.
        return with_collector_at_rest(_root, layout, data)
    except Exception as error:
        refusal = _refusal_of(error)
        if isinstance(refusal, CannotLoad | NotAllowed):
            place = _place_of(refusal, layout, data)
            if place:
                raise refusal.at(place) from error.__cause__
        if refusal is error:
            raise
        raise refusal from error


def _place_of(refusal: CannotLoad | NotAllowed, layout: int, data: memoryview) -> str:
    """Return where the bytes hold what was refused, or nothing if that is not to be found."""
    from longterm._codec.decode.place import place_of

    return place_of(refusal.name, layout, data)


def _root(layout: int, data: memoryview) -> Any:
    if layout < wire.ITEMS:
        return decode_tree(layout, data)
    if layout == wire.ITEMS:
        return decode_items(data)
    raise CorruptData(f"the stored bytes have an unknown layout, {layout}")


def decode_tree(layout: int, data: memoryview) -> Any:
    """Return the root of a tree, or the frames with such trees in their slots."""
    if layout & wire.TAGGED or len(data) > MANY_KEYS_BYTES:
        try:
            root = _unpacked(layout, data, strict_map_key=len(data) > MANY_KEYS_BYTES)
        except ValueError as error:
            if not _is_of_keys(error):
                raise
            root = _unpacked(layout, data, pairs=True)
    else:
        root = unpackb(data, ext_hook=_leaf, strict_map_key=False)
    if not layout & wire.FRAMES:
        return root
    if type(root) is not list:
        raise TypeError("the rows of frames are a list")
    return [whole_frame(row) for row in root]


def decode_items(data: memoryview) -> Any:
    """Return the root of a sequence of items."""
    reader, unpacker = _reader_for(len(data))
    try:
        root = reader.root(data, unpacker)
        if reader.can_read_on and len(data) <= _HARMLESS and len(_idle) < _MOST_IDLE:
            reader.let_go()
            _idle.append((reader, unpacker))
        return root
    except Exception as error:
        if len(reader.decoding.fragile) <= FRAGILE_DEPTH or is_of_signal(error):
            raise
        refusal = _refusal_of(error)
        # The functions of its traceback hold what is to be freed, and so may its arguments.
        error.__traceback__ = error.__context__ = None
    reader.take_apart()
    raise refusal


def _reader_for(length: int) -> tuple[Reader, Any]:
    """Return a reader of an input of a length, and its unpacker."""
    try:
        reader, unpacker = _idle.pop() if length <= _HARMLESS else _made(length)
    except IndexError:
        reader, unpacker = _made(_HARMLESS)
    reader.begin(length)
    return reader, unpacker


def _made(longest: int) -> tuple[Reader, Any]:
    reader = Reader()
    return reader, reader.unpacker(longest)


_idle: list[tuple[Reader, Any]] = []
"""Readers that have read all of their short inputs, each with its unpacker. To make one, which
fills 50 kB with zeros, takes as long as to read what many a run holds."""
_MOST_IDLE: Final = 16


def _unpacked(
    layout: int, data: memoryview, *, strict_map_key: bool = False, pairs: bool = False
) -> Any:
    if not (layout & wire.TAGGED or pairs):
        return unpackb(data, ext_hook=_leaf, strict_map_key=strict_map_key)
    reader = Reader()
    reader.begin(len(data))
    root = unpackb(
        data,
        ext_hook=reader.extension,
        list_hook=reader.array if layout & wire.TAGGED else None,
        object_pairs_hook=reader.mapping if pairs else None,
        strict_map_key=strict_map_key,
    )
    reader.finish()
    return root


def _is_of_keys(error: ValueError) -> bool:
    """Tell whether msgpack found a key that is no string, and was told to make strings only.

    Those are hashed with a seed; any other key can be chosen so that a dict takes long to make.
    """
    return "strict_map_key" in _shown(error)


def _leaf(code: int, payload: bytes) -> Any:
    return READERS[code](payload)


def check_lengths(data: memoryview) -> None:
    """Step over all values; raise if one is longer than the input."""
    end = len(data)
    if end <= _HARMLESS:
        return
    stepper = Unpacker(None, max_buffer_size=end, read_size=1)
    stepper.feed(data)
    stepper.skip()
    while stepper.tell() < end:
        stepper.skip()


def _refusal_of(error: Exception) -> Exception:
    """Return what to raise for an exception: whose it is tells where it was raised."""
    if isinstance(error, LongtermError | MemoryError) or is_of_signal(error):
        return error
    if isinstance(error, OutOfData | ExtraData | StackError):
        return CorruptData(f"the stored bytes are cut off or damaged: {type(error).__name__}")
    entry: TracebackType | None = error.__traceback__
    where = ""
    while entry is not None:
        module = entry.tb_frame.f_globals.get("__name__")
        if type(module) is str and trust.origin(module) == "application":
            where = f"{module}.{entry.tb_frame.f_code.co_qualname}"
        entry = entry.tb_next
    if where:
        return ValueRaised(where, error)
    return CorruptData(f"the stored bytes are damaged: {_shown(error)}")


def _shown(error: Exception) -> str:
    # What was decoded may be among its arguments, and would be asked to show itself.
    if all(is_exactly(argument, str, int) for argument in error.args):
        return str(error)
    return type(error).__name__


class Reader:
    """The items read so far, and what msgpack asks on its way."""

    __slots__ = ("can_read_on", "decoding", "items", "open_tags", "placeholders")

    def begin(self, length: int) -> None:
        """Begin with nothing read of an input of a length."""
        self.items: list[Any] = []
        self.placeholders: dict[int, tuple[Kind, Any]] = {}
        self.open_tags = 0
        self.decoding = Decoding(length)
        self.can_read_on = True
        """Whether its unpacker is at the end of an input, and may be given another."""

    def let_go(self) -> None:
        """Hold nothing of what was read."""
        del self.items, self.placeholders, self.decoding

    def root(self, data: memoryview, unpacker: Any) -> Any:
        """Read all items and return the last."""
        items = self.items
        unpacker.feed(data)
        for value in self.values(data, unpacker):
            cls = type(value)
            if cls is Contents:
                self.open_tags -= 1
                self.populate(value)
            elif cls is Placeholder:
                self.open_tags -= 1
                items.append(self.placeholder(value))
            else:
                if cls is StoredModule:
                    self.decoding.placed_modules -= 1  # it stands where it is referred to
                items.append(value)
            if self.open_tags:
                raise CorruptData(_MISPLACED_TAG)
        if type(items[-1]) is StoredModule:
            self.decoding.placed_modules += 1
        self.decoding.root = items[-1]
        self.finish()
        return items[-1]

    def values(self, data: memoryview, unpacker: Any) -> Iterator[Any]:
        """Yield all values; from the first map on with a key that is no string, by `mapping`."""
        decoding = self.decoding
        start = position = unpacker.tell()
        mark = decoding.mark()
        try:
            for value in unpacker:
                yield value
                mark, position = decoding.mark(), unpacker.tell()
        except ValueError as error:
            if not _is_of_keys(error):
                raise
        else:
            if position - start != len(data):
                raise OutOfData
            return
        # The value is read once more, and what was made for it is forgotten.
        self.can_read_on = False
        self.open_tags = 0
        decoding.return_to(mark)
        left = data[position - start :]
        unpacker, position = self.unpacker(len(left), self.mapping), 0
        unpacker.feed(left)
        for value in unpacker:
            yield value
            position = unpacker.tell()
        if position != len(left):
            raise OutOfData

    def unpacker(
        self, longest: int, mapping: Callable[[list[tuple[Any, Any]]], Any] | None = None
    ) -> Any:
        """Return what yields the values of bytes; without `mapping`, keys are to be strings."""
        return Unpacker(
            None,
            ext_hook=self.extension,
            list_hook=self.array,
            object_pairs_hook=mapping,
            strict_map_key=mapping is None,
            max_buffer_size=longest,
            read_size=1,
        )

    def finish(self) -> None:
        """Check what can be checked only when all is made."""
        if self.open_tags:
            raise CorruptData(_MISPLACED_TAG)
        decoding = self.decoding
        for frame in decoding.frames:
            check_names(frame)
        if decoding.late:
            for settle in list(decoding.late.values()):
                settle()
        for check in decoding.checks:
            check()
        if decoding.placed_modules:
            from longterm._codec.types.modules import put_modules

            put_modules(decoding)
        if len(decoding.fragile) > FRAGILE_DEPTH:
            import gc

            from longterm._codec.decode.depth import is_too_deep

            if is_too_deep(decoding.fragile, gc.get_referents):
                raise CorruptData(
                    "the stored bytes hold values that are nested too deep to be freed"
                )

    def take_apart(self) -> None:
        """Free all that was made, which may be nested too deep to be freed as it is."""
        from longterm._codec.decode.depth import take_apart

        decoding = self.decoding
        decoding.checks.clear()
        decoding.late.clear()
        decoding.return_to((0, 0, 0))
        decoding.reads.clear()
        decoding.root = None
        self.placeholders.clear()
        self.items.clear()
        take_apart(decoding.fragile)

    def placeholder(self, placeholder: Placeholder) -> Any:
        """Return what is populated later."""
        made = placeholder.kind.load(placeholder.parts, self.decoding)
        self.placeholders[id(made)] = (placeholder.kind, made)
        self.decoding.placeholders.add(id(made))
        if placeholder.kind.is_fragile:
            self.decoding.fragile.append(made)
        return made

    def populate(self, contents: Contents) -> None:
        """Put parts into a placeholder."""
        kind, _ = self.placeholders[id(contents.placeholder)]
        if kind.populate is None:
            raise ValueError("what is not a placeholder cannot be populated")
        kind.populate(contents.placeholder, contents.parts, self.decoding)

    def extension(self, code: int, payload: bytes) -> Any:
        """Return what an extension stands for."""
        if code == _REFERENCE:
            item = self.items[int.from_bytes(payload, "big")]
            self.decoding.shares = True
            if type(item) is StoredModule:
                self.decoding.placed_modules += 1
            return item
        if code == _TAG:
            self.open_tags += 1
            return KINDS[payload[0]]
        if code in _CAREFUL:
            return CAREFUL_READERS[code](payload, self.decoding)
        if code == wire.INTEGER and len(payload) > _SHORT_INTEGER:
            self.decoding.has_long_integers = True
        return READERS[code](payload)

    def array(self, parts: Parts) -> Any:
        """Return a plain array as it is, and what a tagged one stands for."""
        if parts and type(parts[0]) is Kind:
            kind = parts.pop(0)
            # Instructions stand at the top; deeper they are as misplaced as a tag.
            if kind.code < _INSTRUCTIONS:
                self.open_tags -= 1
            made = kind.build(parts, self.decoding)
            if kind.is_fragile:
                self.decoding.fragile.append(made)
            return made
        return parts

    def mapping(self, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        """Return a map, unless its keys are made to take long."""
        from longterm._codec.decode import hashing

        keys = [key for key, _ in pairs]
        are_few = len(keys) <= MANY_KEYS and not self.decoding.has_long_integers
        if are_few and hashing.are_light(keys):
            return dict(pairs)
        made: dict[Any, Any] = {}
        hashing.put(keys, lambda some: made.update(pairs[some]), made, self.decoding)
        return made
