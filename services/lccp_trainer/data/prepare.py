"""Tokenizes a source once: a shard per file, in parallel, resuming where an earlier try stopped.

`lccp data prepare` writes the shards where later runs find them; a run whose source is text writes
them to its scratch folder, once on each node.
"""

from collections.abc import Callable
from pathlib import Path

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput
from lccp.inputs.fetch import BytesProgress
from lccp_trainer.data.documents import files_of
from lccp_trainer.data.sharding import (
    NONE_LEFT_OUT,
    BadDocuments,
    ShardTask,
    Tokenizer,
    status_of,
    writing,
)
from lccp_trainer.data.shards import INDEX, ShardIndex, write_index
from lccp_trainer.data.spreading import each


def prepare(
    source: DataSource,
    path: Path,
    folder: Path,
    load_tokenizer: Callable[[], Tokenizer],
    tokenizer_digest: str,
    where: str,
    *,
    bad: BadDocuments = NONE_LEFT_OUT,
    workers: int = 1,
    progress: BytesProgress = lambda *_: None,
) -> ShardIndex:
    """Tokenize the files of `source` at `path` into `folder`, and make it ready.

    Files finished by an earlier try with this tokenizer are left as they are. With `workers` above
    1 the files are spread over as many processes, so `load_tokenizer` must be a module's function.
    For a file in progress, `progress` receives the bytes of its texts.

    Raises:
        InvalidInput: a document can't be read and none may be left out, or none is left.
        LccpError: `folder` can't be written, a file changed meanwhile, or a process was killed.
    """
    files = files_of(path, where)
    sizes = [status_of(file, where).st_size for file in files]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        ShardTask(source, file, folder, number, load_tokenizer, tokenizer_digest, where, bad)
        for number, file in enumerate(files)
    ]
    earlier = ((task.number, task.done()) for task in tasks)
    done = {number: record for number, record in earlier if record is not None}
    todo = [task for task in tasks if task.number not in done]
    if todo:
        with writing(folder):
            (folder / INDEX).unlink(missing_ok=True)
    read = [sizes[number] if number in done else 0 for number in range(len(files))]

    def tell(number: int, text_bytes: int) -> None:
        read[number] = min(text_bytes, sizes[number])
        progress(sum(read), sum(sizes))

    progress(sum(read), sum(sizes))
    for number, record in each(todo, min(workers, len(todo)), tell):
        done[number] = record
        tell(number, sizes[number])
    shards = tuple(done[number] for number in range(len(files)))
    index = ShardIndex(tokenizer_digest=tokenizer_digest, shards=shards)
    if not index.tokens:
        raise InvalidInput(f"{where}.path: {path} contains no text")
    with writing(folder):
        write_index(folder, index)
    return index


def is_ready(folder: Path) -> bool:
    """Whether `prepare` has finished writing `folder`."""
    return (folder / INDEX).is_file()
