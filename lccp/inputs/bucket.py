"""Objects of an S3 bucket, reached like the run's store, with its endpoint and credentials."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lccp.api.invocation import StoreConfig
from lccp.api.objects.inputs import Input, InputFile
from lccp.contract.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from lccp.contract.location import BucketLocation
from lccp.inputs.remote import Wanted
from lccp.store.objects import read_range
from lccp.store.open import open_store
from lccp.store.port import Store


def bucket_store(url: str, config: StoreConfig, where: str) -> Store:
    """The store at `url`, with endpoint and credentials of the run's store, `config`.

    Raises InvalidInput, naming `where`, if the run's store is not in S3.
    """
    if not config.url.startswith("s3://"):
        raise InvalidInput(
            f"{where}: {url} needs the run's store to be in S3 too, for endpoint and "
            f"credentials, but that is {config.url}: use a store in S3, or name a folder"
        )
    return open_store(config.model_copy(update={"url": url}))


class Bucket:
    """An object, or all objects below it.

    Args:
        config: of the run's store.
        where: field of the spec, for messages.
    """

    def __init__(self, location: BucketLocation, config: StoreConfig, where: str) -> None:
        above, _, self._last = location.key.rpartition("/")
        url = f"s3://{location.bucket}/{above}".removesuffix("/")
        self._store = bucket_store(url, config, where)
        self._location, self._where = location, where

    @property
    def url(self) -> str:
        return self._location.url

    def find(self, wanted: Wanted) -> Input:
        url, last = self.url, self._last
        try:
            single = self._store.stat(last)
            infos = [single] if single else self._store.list(f"{last}/")
        except InvalidInput as error:
            raise type(error)(f"{self._where}: {error}") from None
        files = {info.key: InputFile(size=info.size, etag=info.etag) for info in infos}
        needed = {n: f for n, f in files.items() if single or wanted(n.removeprefix(f"{last}/"))}
        if not needed:
            raise InvalidInput(f"{self._where}: there is no object {url}, and none below it")
        return Input(location=url, path=last, files=needed)

    def get(self, found: Input, name: str, folder: Path) -> None:
        with self._as_found(name):
            there = self._store.stat(name)
            if there is None or there.etag != found.files[name].etag:
                raise Conflict(name)
            self._store.get_file(name, folder / name)

    def read(self, found: Input, name: str, start: int, length: int) -> bytes:
        """`length` bytes of the file `name` of `found`, from `start`.

        Raises as `get`, and StoreUnavailable if the bucket gives another number of bytes.
        """
        with self._as_found(name):
            data = read_range(self._store, name, start, length, found.files[name].etag)
        if len(data) != length:
            raise StoreUnavailable(
                f"{self._where}: {self._store.url}/{name}: {len(data):,} bytes came instead of "
                f"{length:,}"
            )
        return data

    @contextmanager
    def _as_found(self, name: str) -> Iterator[None]:
        """Raises InvalidInput, naming the field, if the object is not the one that was found."""
        url = f"{self._store.url}/{name}"
        try:
            yield
        except Conflict:
            raise InvalidInput(
                f"{self._where}: {url} has changed since the run began: restore it"
            ) from None
        except NotFound:
            raise InvalidInput(f"{self._where}: {url} was deleted: restore it") from None
        except InvalidInput as error:
            raise type(error)(f"{self._where}: {error}") from None
