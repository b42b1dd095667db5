"""Words that give a needle away: its haystack must not hold them, or it would answer too."""

import re
from collections.abc import Iterable
from unicodedata import normalize

WORD = re.compile(r"[^\W_]+")
SHORTEST = 4
"""Shorter words give nothing away, except in scripts that write words without spaces."""
COMMON = """
about above after again also always another anything because been before being best between both
could does doing done down during each either else ever every everything from gave getting give
goes gone have having hers here high himself into itself just kept know last later less like little
long made make making many mine more most much must near never next nothing often once only onto
other ours over quite rather really said same seem several shall should since some something still
such take than that their them then there these they thing things this those though three through
thus together under until upon used using very want went were what when where whether which while
whom whose will with within without would your
"""
TELLS_NOTHING = frozenset(COMMON.split())


def folded(text: str) -> str:
    """`text` without its case and its forms of characters (`e` with an accent, or `é`).

    Tokenizers may read such forms alike, and people do.
    """
    return normalize("NFKC", text).casefold()


def telling(texts: Iterable[str]) -> frozenset[str]:
    """Words of `texts`, folded, except common ones and those of fewer than four letters."""
    words = (word for text in texts for word in WORD.findall(folded(text)))
    return frozenset(word for word in words if not word.isascii() or _tells(word))


def holds_any(text: str, words: frozenset[str]) -> bool:
    """Whether one of `words` is in `text`; non-ASCII words count anywhere, even within others."""
    if not words:
        return False
    plain = folded(text)
    if any(not word.isascii() and word in plain for word in words):
        return True
    return not words.isdisjoint(WORD.findall(plain))


def _tells(word: str) -> bool:
    return len(word) >= SHORTEST and word not in TELLS_NOTHING
