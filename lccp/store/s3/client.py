"""The S3 client: endpoint, credentials, TLS, timeouts and retries."""

import io
import os
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import EnvAWSProvider, Provider

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import InvalidInput

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})

CREDENTIALS = ("accessKey", "secretKey")

_AMAZON = "https://s3.amazonaws.com"
_CONNECTIONS = 32
_PIECE_BYTES = 1 << 16
_BACKOFF_SECONDS_MAX = 8.0


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries.

    `connect_seconds` bounds connecting and sending each 64 KiB, `read_seconds` the wait for a
    response and for each piece of it.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    retries: int = 4
    backoff_seconds: float = 0.5

    def retry(self, statuses: Collection[int] = RETRIED_STATUSES) -> urllib3.Retry:
        """Retries of every method on broken connections and on `statuses`, with backoff."""
        return urllib3.Retry(
            total=self.retries,
            allowed_methods=None,
            status_forcelist=statuses,
            backoff_factor=self.backoff_seconds,
            backoff_max=_BACKOFF_SECONDS_MAX,
            raise_on_status=False,
            respect_retry_after_header=False,
        )


class _PiecewisePool(urllib3.PoolManager):
    """Sends bodies in pieces: the timeout of a send then bounds a stall, not a slow upload.

    Redirects are not followed: a signature is valid for one host only.
    """

    def urlopen(self, *args: Any, **kw: Any) -> Any:
        body = kw.get("body")
        if isinstance(body, bytes) and len(body) > _PIECE_BYTES:
            kw["body"] = io.BytesIO(body)
        return super().urlopen(*args, **kw | {"redirect": False})


class MountedCredentials(Provider):
    """Credentials in the files accessKey and secretKey of a folder, read again when they change.

    kubelet replaces a mounted Secret as a whole; both files are read from one version of it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: tuple[object, Credentials] | None = None

    def retrieve(self) -> Credentials:
        try:
            version = self._version()
            if self._read is None or self._read[0] != version:
                self._read = (version, self._credentials())
            return self._read[1]
        except OSError as error:
            raise InvalidInput(
                f"store credentials: {error.filename}: {error.strerror}: "
                f"{self._directory} must contain the files accessKey and secretKey"
            ) from None
        except ValueError:
            raise InvalidInput(
                f"store credentials: accessKey or secretKey in {self._directory} is empty "
                "or not text"
            ) from None

    def _version(self) -> object:
        """Differs after every change of the files."""
        found = [(self._directory / name).stat() for name in CREDENTIALS]
        return [(status.st_ino, status.st_mtime_ns) for status in found]

    def _credentials(self) -> Credentials:
        folder = (self._directory / CREDENTIALS[0]).resolve(strict=True).parent
        access_key, secret_key = ((folder / name).read_text().strip() for name in CREDENTIALS)
        return Credentials(access_key, secret_key)


def provider_of(config: StoreConfig) -> Provider:
    """The provider of credentials, which were read once. Raises InvalidInput."""
    if config.credentials_directory:
        mounted = MountedCredentials(Path(config.credentials_directory))
        mounted.retrieve()
        return mounted
    if not (os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY")):
        raise InvalidInput(
            f"store {config.url}: has no credentials: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or credentialsDirectory"
        )
    return EnvAWSProvider()


def http_pool(config: StoreConfig, patience: Patience) -> urllib3.PoolManager:
    """Connections with the configured CA, timeouts and retries. Raises InvalidInput."""
    return _PiecewisePool(
        maxsize=_CONNECTIONS,
        blocksize=_PIECE_BYTES,
        timeout=urllib3.Timeout(connect=patience.connect_seconds, read=patience.read_seconds),
        retries=patience.retry(),
        ssl_context=_tls(config) if endpoint_of(config).startswith("https") else None,
    )


def s3_client(config: StoreConfig, http: urllib3.PoolManager) -> Minio:
    """A client of the configured endpoint. Raises InvalidInput."""
    endpoint = urlsplit(endpoint_of(config))
    try:
        client = Minio(
            endpoint.netloc,
            secure=endpoint.scheme == "https",
            region=config.region,
            credentials=provider_of(config),
            http_client=http,
        )
    except ValueError as error:
        raise InvalidInput(f"store {config.url}: {error}") from None
    if config.path_style:
        client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    else:
        client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    return client


def endpoint_of(config: StoreConfig) -> str:
    """The endpoint as `http(s)://host[:port]`; Amazon's if none is given. Raises InvalidInput."""
    given = config.endpoint or _AMAZON
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise InvalidInput(f"store endpoint: must be http(s)://host[:port], not {given!r}")
    if parts.username is not None:
        raise InvalidInput("store endpoint: must not contain credentials")
    return f"{parts.scheme}://{parts.netloc}"


def _tls(config: StoreConfig) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=config.ca_file, cadata=config.ca_bundle)
    except OSError as error:
        given = f"caFile {config.ca_file}" if config.ca_file else "caBundle"
        raise InvalidInput(
            f"store {given}: contains no CA certificates in PEM ({error.strerror})"
        ) from None
