"""Whether transformers reads tokenizer.json as the file says.

Some of its classes set how text is split before it becomes tokens, whatever the file says
(huggingface/transformers issue 45488). A model that was trained with the file's tokens then reads
others, and nothing fails.
"""

from contextlib import suppress
from pathlib import Path

from lccp.tokenizer import TOKENIZER_FILES
from lccp_evaluator.sampling.tokenization import Tokenizer

TELLING = "In 1984, it's 12345 m;\n\n  don't\tx = 3.14 # caf\u00e9 \u5317\u4eac 2024"
"""A text in which tokenizers that split numbers, words or white space otherwise differ."""


def notes(tokenizer: Tokenizer, directory: Path) -> list[str]:
    """A sentence if `tokenizer`, of `directory`, gives text other tokens than its file does."""
    by_file = _by_file(directory / TOKENIZER_FILES[0])
    if by_file is None or by_file == tokenizer.opening(TELLING).ids:
        return []
    return [
        f"the tokenizer is read as {type(tokenizer.library).__name__}, which gives some text other "
        f"tokens than {TOKENIZER_FILES[0]} alone does: if the model was trained with those, values "
        "here are wrong, and --tokenizer should name a folder without config.json whose "
        "tokenizer_config.json says PreTrainedTokenizerFast"
    ]


def _by_file(path: Path) -> tuple[int, ...] | None:
    """The tokens of `TELLING` by the file at `path`; None if the library can't read it alone."""
    from tokenizers import Tokenizer as Library

    with suppress(Exception):  # it raises Exception itself
        library = Library.from_file(str(path))
        library.no_padding()
        library.no_truncation()
        return tuple(library.encode(TELLING, add_special_tokens=False).ids)
    return None
