"""`s3://`: a store in a bucket, or below a prefix of one."""

import base64
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import urllib3
from minio.credentials.providers import Provider
from minio.datatypes import Object
from minio.error import S3Error
from urllib3.exceptions import HTTPError

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import Conflict, NotFound, StoreRefused, StoreUnavailable
from lccp.store.keys import check_key
from lccp.store.local import CHUNK_BYTES, Write, atomic_write, open_source
from lccp.store.port import Entry, ObjectInfo, StoreLevel
from lccp.store.s3.client import (
    RETRIED_STATUSES,
    Patience,
    endpoint_of,
    http_pool,
    location_of,
    s3_client,
)
from lccp.store.s3.credentials import provider_of
from lccp.store.s3.errors import FOREIGN, BeyondEnd, refusal_in, translated

_PART_BYTES = 16 << 20
_PARTS_MAX = 10_000
_PRESIGNED_FOR = timedelta(minutes=15)


class S3Store:
    """Objects of an S3 bucket, by the minio SDK; conditional writes by presigned requests.

    The SDK cannot send If-Match and If-None-Match. If a conditional write was retried and then
    refused, the stored object is read: the first try may have succeeded and its response been lost.
    """

    def __init__(
        self,
        config: StoreConfig,
        patience: Patience | None = None,
        credentials: Provider | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._bucket, self._prefix = location_of(config.url)
        self._where = f"store {self.url} at {endpoint_of(config)}"
        self._http = http_pool(config, self._patience)
        self._client = s3_client(config, credentials or provider_of(config), self._http)

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def get(self, key: str) -> bytes:
        return self.get_entry(key).data

    def get_entry(self, key: str) -> Entry:
        data = io.BytesIO()
        etag = self._copy(key, data.write)
        return Entry(data.getvalue(), etag)

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> bytes:
        data = io.BytesIO()
        with suppress(BeyondEnd):
            if etag not in (self._copy(key, data.write, start, length), None):
                raise Conflict(f"{self._where}: {key} was changed by another writer")
        return data.getvalue()

    def put(self, key: str, data: bytes) -> str:
        with self._mapped(key, makes=True):
            written = self._client.put_object(
                bucket_name=self._bucket,
                object_name=self._name(key),
                data=io.BytesIO(data),
                length=len(data),
                part_size=_PART_BYTES,
            )
        return written.etag or ""

    def put_if_absent(self, key: str, data: bytes) -> str:
        return self._put_if(key, data, "If-None-Match", "*")

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        return self._put_if(key, data, "If-Match", f'"{etag}"')

    def get_file(self, key: str, path: Path) -> None:
        with atomic_write(path) as write:
            self._copy(key, write)

    def put_file(self, key: str, path: Path) -> None:
        with open_source(path) as source, self._mapped(key, makes=True):
            size = os.fstat(source.fileno()).st_size
            self._client.put_object(
                bucket_name=self._bucket,
                object_name=self._name(key),
                data=source,
                length=size,
                part_size=max(_PART_BYTES, -(-size // _PARTS_MAX)),
            )

    def stat(self, key: str) -> ObjectInfo | None:
        try:
            with self._mapped(key):
                name = self._name(key)
                found = self._client.stat_object(bucket_name=self._bucket, object_name=name)
                return _info(key, found)
        except NotFound:
            self._check_bucket()
            return None

    def list(self, prefix: str) -> list[ObjectInfo]:
        return sorted(self.scan(prefix), key=lambda info: info.key)

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._mapped(prefix):
            found = self._listed(prefix, recursive=True)
            yield from (_info(key, info) for key, info in found if not key.endswith("/"))

    def level(self, prefix: str) -> StoreLevel:
        with self._mapped(prefix):
            found = dict(self._listed(prefix, recursive=False))
            prefixes = [key for key in found if key.endswith("/")]
            infos = [_info(key, info) for key, info in found.items() if not key.endswith("/")]
        return StoreLevel(infos, prefixes)

    def delete(self, key: str) -> None:
        with suppress(NotFound), self._mapped(key):
            self._client.remove_object(bucket_name=self._bucket, object_name=self._name(key))

    def _listed(self, prefix: str, recursive: bool) -> Iterator[tuple[str, Object]]:
        """Keys with their metadata; a key that ends in a slash is a prefix."""
        listed = self._client.list_objects(
            bucket_name=self._bucket, prefix=self._prefix + prefix, recursive=recursive
        )
        for found in listed:
            if found.object_name:
                yield found.object_name.removeprefix(self._prefix), found

    def _copy(self, key: str, write: Write, start: int = 0, length: int = 0) -> str:
        """Pass `length` bytes from `start` (0: all) to `write`, over interruptions; the ETag."""
        offset, etag, retries_left = start, "", self._patience.retries
        with self._mapped(key):
            while offset == start or not length or offset < start + length:
                left = start + length - offset if length else 0
                response = self._get(key, offset, left, etag)
                etag = _etag(response)
                try:
                    for chunk in response.stream(CHUNK_BYTES):
                        write(chunk)
                        offset += len(chunk)
                    return etag
                except HTTPError:
                    if retries_left == 0:
                        raise
                    retries_left -= 1
                finally:
                    response.close()
                    response.release_conn()
            return etag

    def _get(self, key: str, offset: int, length: int, etag: str) -> urllib3.BaseHTTPResponse:
        try:
            return self._client.get_object(
                bucket_name=self._bucket,
                object_name=self._name(key),
                offset=offset,
                length=length,
                request_headers={"If-Match": f'"{etag}"'} if etag else {},
            )
        except S3Error as error:
            if etag and error.code == "PreconditionFailed":
                raise StoreUnavailable(f"{self._where}: {key} changed while it was read") from None
            raise

    def _put_if(self, key: str, data: bytes, header: str, value: str) -> str:
        with self._mapped(key):
            response = self._put_presigned(key, data, {header: value})
            if response.status == 200:
                return _etag(response)
            makes = header == "If-None-Match"
            refusal = translated(refusal_in(response), self._where, key, makes)
        if isinstance(refusal, NotFound):
            raise Conflict(f"{self._where}: {key} was deleted by another writer")
        was_retried = bool(response.retries and response.retries.history)
        stored_etag = self._etag_of(key, data) if was_retried else None
        if isinstance(refusal, Conflict) and stored_etag:
            return stored_etag
        raise refusal

    def _etag_of(self, key: str, data: bytes) -> str | None:
        """The object's ETag if its content is `data`."""
        try:
            stored = self.get_entry(key)
        except NotFound:
            return None
        return stored.etag if stored.data == data else None

    def _put_presigned(
        self, key: str, data: bytes, headers: dict[str, str]
    ) -> urllib3.BaseHTTPResponse:
        url = self._client.get_presigned_url(
            method="PUT",
            bucket_name=self._bucket,
            object_name=self._name(key),
            expires=_PRESIGNED_FOR,
        )
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        return self._http.urlopen(
            "PUT",
            url,
            body=data,
            headers={"Content-MD5": md5, "Content-Length": str(len(data)), **headers},
            retries=self._patience.retry(RETRIED_STATUSES | {409}),
        )

    def _check_bucket(self) -> None:
        with self._mapped(""):
            if not self._client.bucket_exists(bucket_name=self._bucket):
                raise StoreRefused(f"{self._where}: there is no such bucket")

    def _name(self, key: str) -> str:
        check_key(key)
        return self._prefix + key

    @contextmanager
    def _mapped(self, key: str, makes: bool = False) -> Iterator[None]:
        """Map errors of SDK, HTTP and TLS to errors of the store; done nowhere else."""
        try:
            yield
        except FOREIGN as error:
            raise translated(error, self._where, key, makes) from None


def _info(key: str, found: Object) -> ObjectInfo:
    if found.size is None or found.etag is None or found.last_modified is None:
        raise ValueError(f"{key} comes without size, ETag or time of change")
    return ObjectInfo(key, found.size, found.etag, found.last_modified)


def _etag(response: urllib3.BaseHTTPResponse) -> str:
    return response.headers.get("ETag", "").strip('"')
