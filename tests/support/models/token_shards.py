"""Folders of token shards with given documents."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lccp_trainer.data.sharding import ShardWriter
from lccp_trainer.data.shards import ShardIndex, TokenShards, write_index


def shards_of(folder: Path, *files: Sequence[Sequence[int]]) -> TokenShards:
    """The shards of `files`, each of which has documents of these tokens."""
    folder.mkdir()
    records = []
    for number, documents in enumerate(files):
        with ShardWriter(folder, f"shard-{number:05d}") as writer:
            writer.add(np.array(document, dtype=np.uint32) for document in documents)
            records.append(writer.close(f"file-{number}"))
    index = ShardIndex(tokenizer_digest="digest", shards=tuple(records))
    write_index(folder, index)
    return TokenShards(folder, index, "data.sources[0]")
