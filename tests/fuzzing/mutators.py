"""Whole files spoilt at random: bytes, JSON, archives and PNG, the last three with checksums that still fit."""

from __future__ import annotations

import copy
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Mutator = Callable[[random.Random, bytes], bytes]

EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers at which counts and sizes go wrong."""
TOKENS = (
    b"", b"\0", b"\n", b"\r\n", b",", b'"', b"'", b"{", b"}", b"[", b"]", b"[" * 3000, b"{" * 200, b"-", b"+", b"e308",
    b"1e400", b"nan", b"NaN", b"Infinity", b"null", b"true", b"9" * 25, b"9" * 400, b"9" * 5000, b"\xff\xfe",
    b"\xef\xbb\xbf", "猫".encode(), b"\x80", b"\\ud800", b"\x1f\x8b", b"PK\3\4", b"..", b"/", b"=cmd()", b"<html>",
    b"'|O'", b"'<U4'", b"'|S0'", b"(", b")", b"'<f8'", b"'|V8'", b"-1", b"4294967296", b"99999999999999999999",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 255, 256, 2**31, 2**32, 2**63, 2**64, 10**30, 10**4000, 1e308, -0.0, 0.5, 1.5,
    float("nan"), float("inf"), float("-inf"), "", " ", "a", "0", "-1", "nan", "1e9", "\0", "a\nb", "猫", "\ud800", "x" * 300,
    "../..", "/", "lstm", "os.system", "rows", "rows+rows", "pixels", "finished", "failed", "diverged", [], [[]], [0], [0, 0],
    ["a"], [1e308] * 3, {}, {"": 0}, {"a": 1}, {"__class__": "os.system"}, [None], list(range(300)),
)  # fmt: skip
"""Values that a field of JSON is not meant to have, and some that it may."""


def spoil_bytes(rng: random.Random, data: bytes) -> bytes:
    """One to eight small changes anywhere."""
    found = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        _CHANGES[rng.randrange(len(_CHANGES))](rng, found)
    return bytes(found)


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _edge(rng: random.Random, data: bytearray) -> None:
    width, order = rng.choice((1, 2, 4, 8)), rng.choice(("big", "little"))
    if len(data) >= width:
        place = rng.randrange(min(64, len(data) - width + 1) if rng.random() < 0.5 else len(data) - width + 1)
        data[place : place + width] = (rng.choice(EDGES) & (256**width - 1)).to_bytes(width, order)


def _delete(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.randrange(1, 1 + max(1, len(data) // 4))]


def _repeat(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    block = data[start : start + rng.randrange(1, 65)]
    data[start:start] = block * rng.choice((1, 2, 50))


def _token(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    token = rng.choice(TOKENS)
    data[start : start + rng.choice((0, len(token)))] = token


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _swap(rng: random.Random, data: bytearray) -> None:
    size = rng.randrange(1, 9)
    if len(data) > 2 * size:
        a, b = (rng.randrange(len(data) - size) for _ in range(2))
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


_CHANGES = (_flip, _flip, _byte, _edge, _edge, _delete, _repeat, _token, _token, _cut, _swap)


def spoil_json(rng: random.Random, data: bytes) -> bytes:
    """Fields replaced, removed, doubled or moved; the text stays JSON, or nearly."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return spoil_bytes(rng, data)
    for _ in range(1 << rng.randrange(3)):
        value = _spoil_value(rng, value)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return spoil_bytes(rng, text) if rng.random() < 0.1 else text


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with every key of it."""
    found, todo = [], [value]
    while todo and len(found) < 3000:
        here = todo.pop()
        inside = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, below in inside:
            found.append((here, key))
            todo.append(below)
    return found


def _spoil_value(rng: random.Random, value: Any) -> Any:
    places = _places(value)
    if not places or rng.random() < 0.01:
        return copy.deepcopy(rng.choice(ODD))
    holder, key = rng.choice(places)
    act = rng.randrange(10)
    if act < 5:
        holder[key] = copy.deepcopy(rng.choice(ODD))
    elif act == 5:
        del holder[key]
    elif act == 6 and isinstance(holder, dict):
        holder[rng.choice(("extra", "", "name", "label", "__class__"))] = copy.deepcopy(rng.choice(ODD))
    elif act == 6:
        holder.insert(key, copy.deepcopy(holder[key]))
    elif act == 7:
        other, there = rng.choice(places)
        holder[key] = (
            copy.deepcopy(other[there])
            if there in (other if isinstance(other, dict) else range(len(other)))
            else 0
        )
    elif isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        holder[key] = holder[key] * rng.choice((-1, 0, 2, 10, 1000, 10**6)) + rng.choice((0, 1, -1))
    elif isinstance(holder[key], str):
        holder[key] += rng.choice(("x", "猫", "\0", "/", "@rows", ":", "=", " "))
    elif isinstance(holder[key], list) and holder[key]:
        holder[key].reverse()
    return value


def spoil_zip(rng: random.Random, data: bytes) -> bytes:
    """Members changed, renamed, left out; packed again with checksums that fit. Or the raw bytes."""
    if rng.random() < 0.25:
        return spoil_bytes(rng, data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # spoilt before
        return spoil_bytes(rng, data)
    names = list(members)
    for _ in range(1 << rng.randrange(2)):
        if not names:
            break
        name, act = rng.choice(names), rng.randrange(8)
        if act < 5 and name in members:
            members[name] = (
                spoil_npy(rng, members[name]) if rng.random() < 0.7 else spoil_bytes(rng, members[name])
            )
        elif act == 5:
            members.pop(name, None)
        elif act == 6:
            members[rng.choice(names)] = members.get(name, b"")
        else:
            members[name + rng.choice((".npy", "x", "/"))] = members.pop(name, b"")
    out = io.BytesIO()
    kind = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


DTYPES = [
    "|u1",
    "|i1",
    "<u2",
    ">u2",
    "<i4",
    "<i8",
    "<u8",
    "<f2",
    "<f4",
    "<f8",
    ">f8",
    "<c16",
    "|b1",
    "|O",
    "|S0",
    "|S3",
    "<U0",
    "<U1",
    "<U9",
    "|V0",
    "|V8",
    "<M8[s]",
    "<m8",
]


def spoil_npy(rng: random.Random, data: bytes) -> bytes:
    """Another type, shape or order in the header of an array, or other values."""
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        return spoil_bytes(rng, data)
    size = struct.unpack("<H", data[8:10])[0]
    head, body = data[10 : 10 + size].decode("latin1"), data[10 + size :]
    act = rng.randrange(6)
    if act == 0:
        head = head.replace("False", "True")
    if act in (1, 2):
        start = head.find("'descr': ")
        end = head.find(",", start)
        head = head[: start + 9] + repr(rng.choice(DTYPES)) + head[end:]
    if act in (2, 3):
        start, end = head.find("(", head.find("shape")), head.find(")")
        numbers = [rng.choice((0, 1, 2, 3, 7, 28, 300, 2**31, 2**40, -1)) for _ in range(rng.randrange(5))]
        head = f"{head[:start]}({''.join(f'{n}, ' for n in numbers)}{head[end:]}"
    if act == 4:
        body = spoil_bytes(rng, body)
    if act == 5:
        head = spoil_bytes(rng, head.strip().encode("latin1")).decode("latin1")
    head = head.rstrip()[:60_000]
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return data[:8] + struct.pack("<H", len(head)) + head.encode("latin1", "replace") + body


def spoil_png(rng: random.Random, data: bytes) -> bytes:
    """Chunks of a PNG changed, checksums made right; other images byte by byte."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or rng.random() < 0.2:
        return spoil_bytes(rng, data)
    chunks, place = [], 8
    while place + 8 <= len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    if not chunks:
        return spoil_bytes(rng, data)
    for _ in range(1 << rng.randrange(2)):
        number = rng.randrange(len(chunks))
        name, content = chunks[number]
        act = rng.randrange(6)
        if act == 0 and name == b"IDAT":
            try:
                content = zlib.compress(spoil_bytes(rng, zlib.decompress(content)))
            except zlib.error:
                content = spoil_bytes(rng, content)
            chunks[number] = name, content
        elif act < 4:
            chunks[number] = name, spoil_bytes(rng, content)
        elif act == 4:
            chunks.insert(rng.randrange(len(chunks) + 1), chunks[number])
        else:
            kinds = (b"tRNS", b"PLTE", b"acTL", b"fcTL", b"eXIf", b"iCCP", b"zTXt", b"gAMA", b"IEND", b"IHDR")
            chunks.insert(rng.randrange(len(chunks) + 1), (rng.choice(kinds), rng.randbytes(rng.randrange(40))))
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def spoil_safetensors(rng: random.Random, data: bytes) -> bytes:
    """The header's JSON changed, its length made right; or the raw bytes."""
    if rng.random() < 0.3 or len(data) < 8:
        return spoil_bytes(rng, data)
    size = min(int.from_bytes(data[:8], "little"), len(data))
    head = spoil_json(rng, data[8 : 8 + size])
    return len(head).to_bytes(8, "little") + head + data[8 + size :]
