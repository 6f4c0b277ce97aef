"""The bytes of a text file as valid UTF-8, block by block: unzipped, decoded, hashed on the way."""

from __future__ import annotations

import codecs
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from regulars.errors import InputError

BLOCK_BYTES = 1 << 20
TAIL_BYTES = 1 << 16
UNDECODABLE = "\ufdd0"
"""Stands where bytes could not be decoded: Unicode sets it aside for use inside a program, so no file holds it on purpose."""

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_FORMATS = (
    (b"PAR1", "a Parquet file"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
)


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("regulars.mark", _mark_undecodable)


def fingerprint(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unzipped_blocks(blocks: Iterator[bytes], label: str) -> Iterator[bytes]:
    """The content of a file that may be a gzip one.

    Raises:
        InputError: the file is empty, damaged, or ends in the middle.
    """
    block = next(blocks, b"")
    if not block:
        raise InputError(f"{label} is empty, it has not even a header: have the shop export it again, or take the file away")
    if not block.startswith(_GZIP):
        yield block
        yield from blocks
        return
    member = zlib.decompressobj(wbits=31)
    try:
        while block:
            if unzipped := member.decompress(block):
                yield unzipped
            block = member.unused_data.lstrip(b"\0") if member.eof else b""
            block = block or next(blocks, b"")
            if member.eof and block.strip(b"\0"):
                member = zlib.decompressobj(wbits=31)
    except zlib.error:
        raise InputError(f"{label} is a damaged gzip file: it cannot be unzipped. Have it exported or copied again") from None
    if not member.eof:
        raise InputError(
            f"{label} is only the first part of a gzip file, it ends in the middle: wait until it is copied completely, "
            "or have it exported again"
        )


def read_blocks(path: Path) -> Iterator[bytes]:
    """The file's own bytes."""
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


class TextStream(io.RawIOBase):
    """A text file to read from, gzip or not, in any encoding, as UTF-8 without byte order mark.

    Args:
        path: the file.
        label: its name in errors.
        encoding: the declared encoding; what is none of it is marked with `UNDECODABLE`.

    Attributes:
        failure: what stopped the reading, for a caller below whom the exception was lost.
        tail: the last bytes that were read, at most `TAIL_BYTES`.

    Raises:
        InputError: while reading: empty, another format, another encoding, or half a gzip.
    """

    def __init__(self, path: Path, label: str, encoding: str):
        super().__init__()
        self._digest = hashlib.sha256()
        self._label = label
        self._buffer = bytearray()
        self._blocks = self._utf8(unzipped_blocks(self._hashed(read_blocks(path)), label), encoding)
        self.failure: InputError | None = None
        self.tail = b""

    @property
    def sha256(self) -> str:
        """Of the file's bytes; complete once all has been read."""
        return self._digest.hexdigest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes unless the file ends before."""
        while size < 0 or len(self._buffer) < size:
            try:
                block = next(self._blocks, b"")
            except InputError as failure:
                self.failure = failure
                raise
            if not block:
                break
            self._buffer += block
        taken = bytes(self._buffer) if size < 0 else bytes(self._buffer[:size])
        del self._buffer[: len(taken)]
        self.tail = (self.tail + taken)[-TAIL_BYTES:] if len(taken) < TAIL_BYTES else taken[-TAIL_BYTES:]
        return taken

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, which stay to be read."""
        taken = self.read(size)
        self._buffer[:0] = taken
        self.tail = b""
        return taken

    def _hashed(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self._digest.update(block)
            yield block

    def _utf8(self, blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
        first = next(blocks, b"")
        for start, format_name in _OTHER_FORMATS:
            if first.startswith(start):
                raise InputError(f"{self._label} is {format_name}, not CSV: export it as CSV, or name the file by what it is")
        marked = next((encoding_of_mark for mark, encoding_of_mark in _BYTE_ORDER_MARKS if first.startswith(mark)), None)
        if marked is not None and not codecs.lookup(encoding).name.startswith(marked):
            raise InputError(f"{self._label} has the byte order mark of {marked}, and the mapping says {encoding}: set encoding: {marked}")
        if marked == "utf-8":
            first = first[len(codecs.BOM_UTF8) :]
        decoder = codecs.getincrementaldecoder(encoding)("regulars.mark")
        yield decoder.decode(first).encode()
        for block in blocks:
            # A block may end within a character, and then give nothing: an empty block would look like the end.
            if text := decoder.decode(block):
                yield text.encode()
        yield decoder.decode(b"", final=True).encode()
