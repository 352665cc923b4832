"""Seeded damage: what disks, editors and people do to files."""

from __future__ import annotations

import numpy as np

ODD = [
    b"-1", b"0", b"1e999", b"nan", b"-inf", b"99999999999999999999999", b"''", b"[]", b"{}",
    b"true", b"'a/b'", b"1979-05-27", b"\"\\u0000\"", b"[[1, 2], 3]", b"{use = 3}", b"0x10",
    "'\N{SNOWMAN}'".encode(), b"'=1+1'",
]  # fmt: skip


def text(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three edits of a text file: of lines, of values, of characters, of its end."""
    for _ in range(int(rng.integers(1, 4))):
        lines = content.splitlines(keepends=True) or [b""]
        i = int(rng.integers(len(lines)))
        edit = int(rng.integers(8))
        if edit == 0:
            del lines[i]
        elif edit == 1:
            lines.insert(int(rng.integers(len(lines) + 1)), lines[i])
        elif edit == 2:
            j = int(rng.integers(len(lines)))
            lines[i], lines[j] = lines[j], lines[i]
        elif edit in (3, 4) and b"=" in lines[i]:
            key = lines[i].partition(b"=")[0]
            lines[i] = key + b"= " + ODD[int(rng.integers(len(ODD)))] + b"\n"
        elif edit == 5:
            lines[i] = binary(lines[i], rng)
        elif edit == 6:
            lines = [b"".join(lines)[: int(rng.integers(len(content) + 1))]]
        else:
            lines[i] = lines[i].replace(b"toy", b"tpy", 1).replace(b"_", b"-", 1)
        content = b"".join(lines)
    return content


def binary(content: bytes, rng: np.random.Generator) -> bytes:
    """One edit of any file: a flipped bit, a cut, a repeated, foreign or zeroed part."""
    if not content:
        return bytes(rng.integers(0, 256, 8, dtype=np.uint8))
    i, n = int(rng.integers(len(content))), int(rng.integers(1, 64))
    edit = int(rng.integers(6))
    if edit == 0:
        flipped = bytearray(content)
        flipped[i] ^= 1 << int(rng.integers(8))
        return bytes(flipped)
    if edit == 1:
        return content[:i]
    if edit == 2:
        return content[:i] + content[i : i + n] + content[i:]
    if edit == 3:
        return content[:i] + bytes(rng.integers(0, 256, n, dtype=np.uint8)) + content[i:]
    if edit == 4:
        return content[:i] + b"\0" * n + content[i + n :]
    return content[:i] + content[i + n :]
