"""The S3 client: endpoint, TLS, timeouts and retries."""

import ssl
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import Provider

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import InvalidInput
from lccp.store.keys import check_key
from lccp.store.s3.pool import Pool

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})

_AMAZON = "https://s3.amazonaws.com"
_CONNECTIONS = 32
_BACKOFF_SECONDS_MAX = 8.0


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries.

    `connect_seconds` bounds connecting and sending each 64 KiB, `read_seconds` the wait for a
    response and for each 64 KiB of it.
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


def http_pool(config: StoreConfig, patience: Patience) -> urllib3.PoolManager:
    """Connections with the configured CA, timeouts and retries. Raises InvalidInput."""
    return Pool(
        maxsize=_CONNECTIONS,
        timeout=urllib3.Timeout(connect=patience.connect_seconds, read=patience.read_seconds),
        retries=patience.retry(),
        ssl_context=_tls(config) if endpoint_of(config).startswith("https") else None,
    )


def s3_client(config: StoreConfig, credentials: Provider, http: urllib3.PoolManager) -> Minio:
    """A client of the configured endpoint. Raises InvalidInput."""
    endpoint = urlsplit(endpoint_of(config))
    try:
        client = Minio(
            endpoint.netloc,
            secure=endpoint.scheme == "https",
            region=config.region,
            credentials=credentials,
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


def location_of(url: str) -> tuple[str, str]:
    """`s3://bucket/a/b` as ("bucket", "a/b/"). Raises InvalidInput."""
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise InvalidInput(f"store URL: must be s3://bucket or s3://bucket/prefix, not {url!r}")
    if prefix:
        check_key(prefix)
    return parts.netloc, f"{prefix}/" if prefix else ""
