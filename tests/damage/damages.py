"""What happens to files: flipped bits, blocks overwritten, moved or lost, edits by hand."""

import re
from collections.abc import Callable

import numpy as np

Damage = Callable[[bytes, np.random.Generator], bytes]

_NUMBERS = (
    *("0", "-1", "3", "1.5", "100000000000", "-99999999999999999999", "1e400", "NaN", "1e-320"),
    *("null", "true", '"x"', "[]", "{}", "[[[]]]", '"/dev/zero"', "[" * 3000),
)


def damage_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """One of the accidents of disks and networks."""
    accidents = (_flip, _flip, _flips, _overwrite, _cut, _lose, _move, _insert)
    return _other(content, accidents[rng.integers(len(accidents))], rng)


def damage_text(content: bytes, rng: np.random.Generator) -> bytes:
    """One of those, or an edit of a number, a word or a line."""
    if rng.random() < 0.4:
        return damage_bytes(content, rng)
    edits = (_number, _number, _number, _word, _lose_line, _repeat_line)
    return _other(content, edits[rng.integers(len(edits))], rng)


def _other(content: bytes, change: Damage, rng: np.random.Generator) -> bytes:
    for _ in range(10):
        found = change(content, rng)
        if found != content:
            return found
    return _flip(content, rng)


def _place(content: bytes, rng: np.random.Generator, longest: int = 256) -> tuple[int, int]:
    start = int(rng.integers(len(content)))
    return start, min(len(content), start + int(rng.integers(1, longest)))


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    # Often near the start, where headers are.
    last = len(content) if rng.random() < 0.6 else min(len(content), 512)
    found = bytearray(content)
    found[rng.integers(last)] ^= 1 << int(rng.integers(8))
    return bytes(found)


def _flips(content: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(8):
        content = _flip(content, rng)
    return content


def _overwrite(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _place(content, rng)
    block = bytes(end - start) if rng.random() < 0.5 else rng.bytes(end - start)
    return content[:start] + block + content[end:]


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(len(content))]


def _lose(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _place(content, rng)
    return content[:start] + content[end:]


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _place(content, rng)
    return content[:start] + rng.bytes(end - start) + content[start:]


def _move(content: bytes, rng: np.random.Generator) -> bytes:
    (start, end), target = _place(content, rng), int(rng.integers(len(content)))
    block = content[start:end]
    return content[:target] + block + content[target + len(block) :]


def _number(content: bytes, rng: np.random.Generator) -> bytes:
    new = _NUMBERS[rng.integers(len(_NUMBERS))].encode()
    return _replace(content, rb"-?\d+(\.\d+)?", lambda _: new, rng)


def _word(content: bytes, rng: np.random.Generator) -> bytes:
    return _replace(content, rb"[A-Za-z_]{2,}", lambda word: word[:-1] + b"q", rng)


def _lose_line(content: bytes, rng: np.random.Generator) -> bytes:
    return _replace(content, rb"[^\n,]+[\n,]", lambda _: b"", rng)


def _repeat_line(content: bytes, rng: np.random.Generator) -> bytes:
    return _replace(content, rb"[^\n,]+[\n,]", lambda line: line * 2, rng)


def _replace(
    content: bytes, pattern: bytes, change: Callable[[bytes], bytes], rng: np.random.Generator
) -> bytes:
    places = list(re.finditer(pattern, content))
    if not places:
        return content
    one = places[rng.integers(len(places))]
    return content[: one.start()] + change(one[0]) + content[one.end() :]
