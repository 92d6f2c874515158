"""A text is a row of grapheme clusters: what a reader sees as one character (UAX #29, extended clusters).

`"".join(clusters(text)) == text` for every string, and no cluster is empty. Own rules, close to the standard: CR LF,
combining and spacing marks, variation selectors, ZWJ emoji sequences, skin tones, flags, Hangul syllables, prepended
signs and Indic conjuncts stay whole. Lone surrogates count as characters of their own.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from unicodedata import category

_ZWJ = "\u200d"
_EXTRA = (0x200C, 0x200D, 0xFF9E, 0xFF9F, *range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080))
_SCRIPTS = (
    range(0x300, 0x3400),
    range(0xA000, 0xAC00),
    range(0xF900, 0x12000),
    range(0x13000, 0x17000),
    range(0x1B000, 0x1F000),
    range(0xE0100, 0xE01F0),
)
"""Where marks are: not among ideographs, Hangul syllables, cuneiform, Tangut, surrogates, private use and emoji."""
_PICTOGRAPH = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
)
_PREPEND = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
_CONSONANT = (
    "\u0915-\u0939\u0958-\u095f\u0995-\u09b9\u0a95-\u0ab9\u0b15-\u0b39\u0c15-\u0c39\u0d15-\u0d3a"  # six Indic scripts
)
_VIRAMA = "\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d"
_CONTROL = "\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028\u2029"


def _extend_class() -> str:
    """The characters that never begin a cluster, as ranges for a character class."""
    marks = {code for codes in _SCRIPTS for code in codes if category(chr(code))[0] == "M"}
    marks.update(_EXTRA)
    ranges: list[str] = []
    first = last = -2
    for code in [*sorted(marks), sys.maxunicode + 2]:
        if code == last + 1:
            last = code
            continue
        if first >= 0:
            ranges.append(f"{chr(first)}-{chr(last)}")
        first = last = code
    return "".join(ranges)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """Built at the first text that is not ASCII: a start-up without one does not pay for it."""
    extend = f"[{_extend_class()}]*"
    hangul = (
        "[\u1100-\u115f\ua960-\ua97c]*(?:[\uac00-\ud7a3]|[\u1160-\u11a7\ud7b0-\ud7c6])"
        "[\u1160-\u11a7\ud7b0-\ud7c6]*[\u11a8-\u11ff\ud7cb-\ud7fb]*|[\u1100-\u115f\ua960-\ua97c]+|[\u11a8-\u11ff]+"
    )
    conjunct = f"[{_CONSONANT}](?:{extend}[{_VIRAMA}]{extend}[{_CONSONANT}])*"
    emoji = f"[{_PICTOGRAPH}](?:{extend}{_ZWJ}[{_PICTOGRAPH}])*"
    flag = "[\U0001f1e6-\U0001f1ff]{2}"
    return re.compile(
        f"\r\n|[{_CONTROL}]|[{_PREPEND}]*(?:{flag}|{emoji}|{hangul}|{conjunct}|[^{_CONTROL}]){extend}|[\\s\\S]"
    )


def clusters(text: str) -> list[str]:
    """The clusters of `text` in order."""
    if text.isascii():
        return list(text) if "\r\n" not in text else re.findall("\r\n|[\\s\\S]", text)
    return _pattern().findall(text)
