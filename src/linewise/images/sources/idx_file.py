"""One IDX file (LeCun, Cortes & Burges 1998), packed with gzip or not, whatever its name says.

Four bytes: 0, 0, type, number of dimensions; then each dimension as a big-endian 32-bit number; then the values.
Reading is bounded: no more memory is taken than the header declares, and it may not declare more than fits.
"""

from __future__ import annotations

import gzip
import math
import os
import stat
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from linewise.foundations.amounts import count
from linewise.foundations.errors import DataError
from linewise.foundations.memory import check_fits
from linewise.images.sources.base import MAX_BYTES

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_PACKED = 1032
"""No gzip file holds more than this many bytes per packed byte (the limit of DEFLATE)."""
BOMB_BYTES, BOMB_RATIO = 2**28, 200
"""Files that unpack to more than this, at more than this ratio, hold no photographs."""


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, in native byte order.

    Raises:
        DataError: cut off, too long, no IDX file, or more declared than the file can hold.
    """
    where = str(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError("is not a regular file", where=where, expected="an IDX file")
        with open(path, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            size = os.fstat(raw.fileno()).st_size
            if not packed:
                return _read(raw, where, size, size)
            with gzip.GzipFile(fileobj=raw) as unpacked:
                return _read(cast("IO[bytes]", unpacked), where, size, size * MOST_PACKED)
    except EOFError:
        raise DataError(
            "the gzip file is cut off", where=where, expected="a whole file", mend="download or copy it again"
        ) from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"the gzip file is damaged ({error})", where=where, expected="a whole file", mend="download it again"
        ) from None
    except PermissionError:
        raise DataError("may not be read (permission denied)", where=where, mend="check its permissions") from None
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=where) from None


def _read(file: IO[bytes], where: str, packed_size: int, most: int) -> np.ndarray:
    dtype, shape, header_size = _read_header(file, where)
    declared = math.prod(shape) * dtype.itemsize
    described = f"{'×'.join(map(str, shape))} values of {count(dtype.itemsize, 'byte')}"
    again = "download or copy it again"
    if not declared:
        raise DataError(
            f"the header declares {'×'.join(map(str, shape))} values, so there are none",
            where=where,
            expected="an IDX file of images or labels",
            mend=again,
        )
    if declared > MAX_BYTES or (packed_size != most and _is_bomb(declared, packed_size)):
        raise DataError(
            f"the header declares {described}, {declared:,} bytes, in a file of {packed_size:,} bytes",
            where=where,
            expected="an IDX file of images or labels",
        )
    if declared + header_size > most:
        raise _short(where, described, declared, min(most, packed_size) - header_size, packed_size == most)
    check_fits(declared + math.prod(shape), described, where)
    values, done = np.empty(declared, np.uint8), 0
    while done < declared:
        block = file.read(min(2**22, declared - done))
        if not block:
            raise _short(where, described, declared, done, exact=True)
        values[done : done + len(block)] = np.frombuffer(block, np.uint8)
        done += len(block)
    if file.read(1):
        raise DataError(
            f"goes on after the {declared:,} bytes that its header declares ({described})",
            where=where,
            expected="nothing after the values",
            mend=again,
        )
    return values.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_header(file: IO[bytes], where: str) -> tuple[np.dtype, tuple[int, ...], int]:
    start = file.read(4)
    if not start:
        raise DataError("is empty", where=where, expected="an IDX file", mend="download or copy it again")
    if start.lstrip()[:1] == b"<":
        raise DataError(
            "is an HTML page, not an IDX file",
            where=where,
            expected="an IDX file",
            mend="the download led to a web page; download the file itself",
        )
    if len(start) < 4 or start[:2] != b"\0\0":
        raise DataError(
            f"starts with the bytes {start.hex(' ')}",
            where=where,
            expected="an IDX file: 00 00, a type and a number of dimensions",
        )
    if start[2] not in TYPES:
        raise DataError(
            f"type code 0x{start[2]:02x}",
            where=where,
            expected=f"one of {', '.join(f'0x{code:02x}' for code in TYPES)}",
        )
    if not 1 <= start[3] <= 4:
        raise DataError(f"{start[3]} dimensions", where=where, expected="1 (labels) or 3 (images)")
    dims = file.read(4 * start[3])
    if len(dims) < 4 * start[3]:
        raise DataError(
            f"the header ends after {4 + len(dims)} bytes",
            where=where,
            expected=f"{4 + 4 * start[3]} bytes",
            mend="download or copy it again",
        )
    return np.dtype(TYPES[start[2]]), struct.unpack(f">{start[3]}I", dims), 4 + len(dims)


def _is_bomb(declared: int, packed_size: int) -> bool:
    return declared > BOMB_BYTES and declared > packed_size * BOMB_RATIO


def _short(where: str, described: str, declared: int, there: int, exact: bool) -> DataError:
    missing = declared - there
    found = f"{missing:,} byte{'s are' if missing > 1 else ' is'} missing" if exact else "most of it is missing"
    return DataError(
        found,
        where=where,
        expected=f"{declared:,} bytes after the header ({described})",
        mend="download or copy it again",
    )
