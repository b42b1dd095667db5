"""An answer that hardly moves ends like one that does not; a slow one that moves is read."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3
from trickling import Trickle, trickling, whole
from urllib3.exceptions import ReadTimeoutError

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import StoreUnavailable
from lccp.store.s3.client import Patience
from lccp.store.s3.pool import PIECE_BYTES, Pool
from lccp.store.s3.store import S3Store

BODY = bytes(2_000)
SECONDS = 0.5
IMPATIENT = Patience(connect_seconds=2, read_seconds=SECONDS, retries=1, backoff_seconds=0.01)
CALLS: dict[str, Callable[[S3Store, Path], object]] = {
    "get": lambda store, _: store.get("a"),
    "get_file": lambda store, folder: store.get_file("a", folder / "a"),
    "list": lambda store, _: store.list(""),
    "stat": lambda store, _: store.stat("a"),
    "put": lambda store, _: store.put("a", b"1"),
    "put_if_absent": lambda store, _: store.put_if_absent("a", b"1"),
    "delete": lambda store, _: store.delete("a"),
}


def a_store(
    server: Trickle, monkeypatch: pytest.MonkeyPatch, patience: Patience = IMPATIENT
) -> S3Store:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "access")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    config = StoreConfig(url="s3://lccp/p", endpoint=server.endpoint, region="us-east-1")
    return S3Store(config, patience)


@pytest.mark.parametrize("call", CALLS)
def test_an_answer_a_byte_at_a_time_is_given_up(
    call: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Head and body would take over 100 s; no byte of them comes later than the socket allows."""
    with trickling(whole(BODY), 1, 0.05) as server:
        begin = time.monotonic()
        with pytest.raises(StoreUnavailable, match="does not answer: no answer within the time"):
            CALLS[call](a_store(server, monkeypatch), tmp_path)
    assert time.monotonic() - begin < 8 * SECONDS
    assert len(server.requests) == 2


def test_tls_bounds_an_answer_too(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    pool = Pool(timeout=urllib3.Timeout(SECONDS), retries=False, ssl_context=trusting)
    with trickling(whole(BODY), 1, 0.05, context) as server:
        begin = time.monotonic()
        with pytest.raises(ReadTimeoutError):
            pool.request("GET", server.endpoint)
    assert time.monotonic() - begin < 4 * SECONDS


@pytest.mark.parametrize(("method", "ends"), [("POST", True), ("GET", False)])
def test_a_store_that_joins_parts_may_send_white_space_until_it_has(
    method: str, ends: bool
) -> None:
    pool = Pool(timeout=urllib3.Timeout(SECONDS), retries=False)
    answer = b" " * 500 + b"<CompleteMultipartUploadResult/>"
    with trickling(whole(answer), 20, 0.05) as server:
        if ends:
            assert pool.request(method, server.endpoint).data == answer
            return
        with pytest.raises(ReadTimeoutError):
            pool.request(method, server.endpoint)


def test_nor_may_it_do_so_for_ever() -> None:
    pool = Pool(timeout=urllib3.Timeout(SECONDS / 2), retries=False)
    with trickling(whole(BODY), 1, 0.05) as server:
        begin = time.monotonic()
        with pytest.raises(ReadTimeoutError):
            pool.request("POST", server.endpoint)
    assert time.monotonic() - begin < 20 * SECONDS


def test_a_large_answer_may_take_longer_than_the_time_for_a_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = bytes(range(256)) * 2048
    patience = Patience(read_seconds=SECONDS, retries=0)
    with trickling(whole(data), PIECE_BYTES // 4, 0.05) as server:
        begin = time.monotonic()
        assert a_store(server, monkeypatch, patience).get("a") == data
    assert time.monotonic() - begin > 2 * SECONDS
    assert len(server.requests) == 1


def test_the_wait_for_the_first_byte_does_not_count() -> None:
    """A server may search for as long as the socket allows."""
    answer = whole(b"1")
    pool = Pool(timeout=urllib3.Timeout(2 * SECONDS), retries=False)
    with trickling(answer, len(answer) - 1, 1.4 * SECONDS, before_seconds=1.4 * SECONDS) as server:
        assert pool.request("GET", server.endpoint).data == b"1"


def test_what_a_reader_does_between_two_reads_does_not_count() -> None:
    data = bytes(3 * PIECE_BYTES)
    pool = Pool(timeout=urllib3.Timeout(SECONDS), retries=False)
    with trickling(whole(data), PIECE_BYTES, 0.0) as server:
        answer = pool.request("GET", server.endpoint, preload_content=False)
        parts = []
        for part in answer.stream(PIECE_BYTES // 2):
            time.sleep(SECONDS / 2)
            parts.append(part)
    assert b"".join(parts) == data
