"""Clients of an S3 store: endpoints, TLS, and how often a request is retried."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_proxy import FaultyProxy, faulty_proxy
from minio.credentials.providers import StaticProvider
from seaweedfs import IMPATIENT, QUICK, SeaweedFS

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.store.s3.client import Patience, endpoint_of, http_pool, s3_client
from lccp.store.s3.store import S3Store

BUCKET = StoreConfig(url="s3://lccp/p")
GIVEN = StaticProvider("access", "secret")


def changed(config: StoreConfig, **changes: object) -> StoreConfig:
    return config.model_copy(update=changes)


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        (None, "https://s3.amazonaws.com"),
        ("http://minio:9000", "http://minio:9000"),
        ("https://minio/", "https://minio"),
    ],
)
def test_the_endpoint_is_amazons_where_none_is_given(given: str | None, endpoint: str) -> None:
    assert endpoint_of(changed(BUCKET, endpoint=given)) == endpoint


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"endpoint": "minio:9000"}, r"must be http\(s\)://host\[:port\], not 'minio:9000'"),
        ({"endpoint": "ftp://minio"}, "must be http"),
        ({"endpoint": "http://minio/path"}, "must be http"),
        ({"endpoint": "http://user:pass@minio"}, "must not contain credentials"),
        ({"endpoint": "http://minio:port"}, "store s3://lccp/p: "),
        ({"region": "not a region!"}, "invalid region"),
        ({"endpoint": "https://minio", "ca_file": "/none.pem"}, "caFile /none.pem"),
        ({"endpoint": "https://minio", "ca_bundle": "none"}, "caBundle: contains no CA"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused(changes: dict[str, str], sentence: str) -> None:
    config = changed(BUCKET, **changes)
    with pytest.raises(InvalidInput, match=sentence):
        s3_client(config, GIVEN, http_pool(config, IMPATIENT))


def test_every_method_is_tried_again_and_the_last_answer_is_kept() -> None:
    retry = Patience(retries=2).retry({503})

    assert retry.is_retry("PUT", 503)
    assert not retry.is_retry("PUT", 404)
    assert retry.total == 2
    assert not retry.raise_on_status


@pytest.fixture
def tls_proxy(seaweedfs: SeaweedFS, certificate: Path) -> Iterator[FaultyProxy]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with faulty_proxy(seaweedfs.endpoint, context) as running:
        yield running


@pytest.mark.s3
@pytest.mark.parametrize("given", ["ca_file", "ca_bundle"])
def test_a_given_ca_is_trusted(
    seaweedfs: SeaweedFS,
    tls_proxy: FaultyProxy,
    certificate: Path,
    keys_directory: Path,
    prefix: str,
    given: str,
) -> None:
    ca = str(certificate) if given == "ca_file" else certificate.read_text()
    config = changed(
        seaweedfs.config(prefix, keys_directory), endpoint=tls_proxy.endpoint, **{given: ca}
    )
    store = S3Store(config, QUICK)
    etag = store.put_if_absent("a", b"1")
    store.put_if_match("a", b"2", etag)
    assert store.get("a") == b"2"


@pytest.mark.s3
def test_an_unknown_ca_is_refused_and_says_so(
    seaweedfs: SeaweedFS, tls_proxy: FaultyProxy, keys_directory: Path
) -> None:
    config = changed(seaweedfs.config("p", keys_directory), endpoint=tls_proxy.endpoint)
    with pytest.raises(InvalidInput, match=r"not trusted.*caFile must name the CA"):
        S3Store(config, IMPATIENT).get("a")


@pytest.mark.s3
def test_plain_http_where_tls_is_spoken_is_one_sentence(
    seaweedfs: SeaweedFS, tls_proxy: FaultyProxy, keys_directory: Path
) -> None:
    endpoint = tls_proxy.endpoint.replace("https", "http")
    config = changed(seaweedfs.config("p", keys_directory), endpoint=endpoint)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        S3Store(config, IMPATIENT).get("a")


@pytest.mark.s3
def test_tls_where_plain_http_is_spoken_is_one_sentence(
    seaweedfs: SeaweedFS, keys_directory: Path
) -> None:
    endpoint = seaweedfs.endpoint.replace("http", "https")
    config = changed(seaweedfs.config("p", keys_directory), endpoint=endpoint)
    with pytest.raises(StoreUnavailable, match="does not answer: TLS failed"):
        S3Store(config, IMPATIENT).get("a")
