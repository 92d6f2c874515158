"""Vectors of texts: unit length, equal for equal texts, near for texts that share words.

A text's vector is the sum of the vectors of its words and a small part of its own; each is drawn from a hash. The
numbers are 32-bit floats, so `float` and `base64` (little endian) say the same.
"""

from __future__ import annotations

import base64
import math
import struct
from collections import Counter
from functools import lru_cache
from hashlib import shake_128

from mockserver.model.tokenizer import split

_WORDS = 512


@lru_cache(maxsize=4096)
def _direction(text: str, size: int) -> tuple[float, ...]:
    return tuple(byte - 127.5 for byte in shake_128(text.encode()).digest(size))


def vector(text: str, size: int) -> tuple[float, ...]:
    """The vector of a text in `size` dimensions, at least 1. Only the first few hundred words count."""
    words = Counter(token.strip().lower() for token in split(text)[:_WORDS])
    own = shake_128(b"\0" + text.encode()).digest(size)
    total = [(byte - 127.5) * 0.3 for byte in own]
    for word, times in words.items():
        weight = math.sqrt(times)
        total = [sum_ + weight * part for sum_, part in zip(total, _direction(word, size), strict=True)]
    return unit(total)


def unit(numbers: list[float]) -> tuple[float, ...]:
    """The numbers scaled to length 1, as 32-bit floats."""
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return struct.unpack(f"<{len(numbers)}f", struct.pack(f"<{len(numbers)}f", *(one / length for one in numbers)))


def to_base64(numbers: tuple[float, ...]) -> str:
    """Little-endian 32-bit floats in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
