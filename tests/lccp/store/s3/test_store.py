"""What only a bucket has: refusals, places, and networks that fail in mid-request."""

import random
import socket
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_proxy import Fault, FaultyProxy
from minio.credentials.providers import StaticProvider
from seaweedfs import IMPATIENT, QUICK, SeaweedFS

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import (
    Conflict,
    InvalidInput,
    LccpError,
    NotFound,
    StoreRefused,
    StoreUnavailable,
)
from lccp.store.port import Store
from lccp.store.s3.client import Patience
from lccp.store.s3.store import S3Store

pytestmark = pytest.mark.s3

USES: dict[str, Callable[[Store, Path], object]] = {
    "get": lambda store, _: store.get("a"),
    "get_entry": lambda store, _: store.get_entry("a"),
    "put": lambda store, _: store.put("a", b"1"),
    "put_if_absent": lambda store, _: store.put_if_absent("a", b"1"),
    "put_if_match": lambda store, _: store.put_if_match("a", b"1", "0" * 32),
    "get_file": lambda store, path: store.get_file("a", path / "got"),
    "put_file": lambda store, path: store.put_file("a", path / "local"),
    "put_large_file": lambda store, path: store.put_file("a", path / "large"),
    "stat": lambda store, _: store.stat("a"),
    "list": lambda store, _: store.list(""),
    "delete": lambda store, _: store.delete("a"),
}
use = pytest.mark.parametrize("use", USES.values(), ids=USES.keys())


@pytest.fixture
def local(tmp_path: Path) -> Path:
    (tmp_path / "local").write_bytes(b"1")
    (tmp_path / "large").write_bytes(bytes(17 << 20))
    return tmp_path


def refused(store: Store, use: Callable[[Store, Path], object], local: Path) -> LccpError:
    with pytest.raises(LccpError) as raised:
        use(store, local)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value.__context__, LccpError | None) or (
        raised.value.__suppress_context__
    )
    return raised.value


def with_(config: StoreConfig, **changes: object) -> StoreConfig:
    return config.model_copy(update=changes)


# Refusals


@use
def test_a_wrong_secret_is_refused_in_one_sentence(
    seaweedfs: SeaweedFS, local: Path, use: Callable[[Store, Path], object]
) -> None:
    keys = seaweedfs.credentials(local / "keys")
    (keys / "secretKey").write_text("wrong")
    store = S3Store(with_(seaweedfs.config("p", keys), region="us-east-1"), QUICK)
    error = refused(store, use, local)
    assert isinstance(error, InvalidInput)
    assert f"store s3://lccp/p at {seaweedfs.endpoint}: refuses these credentials" in str(error)
    assert "wrong" not in str(error)


@pytest.mark.parametrize("name", sorted(USES.keys() - {"delete", "put_if_match"}))
def test_a_bucket_that_is_not_there_is_named(
    seaweedfs: SeaweedFS, keys_directory: Path, local: Path, name: str
) -> None:
    config = with_(
        seaweedfs.config("p", keys_directory), url="s3://no-such-bucket/p", region="us-east-1"
    )
    error = refused(S3Store(config, QUICK), USES[name], local)
    assert isinstance(error, InvalidInput)
    assert "store s3://no-such-bucket/p" in str(error)
    assert "there is no such bucket" in str(error)


@use
def test_an_endpoint_where_nobody_listens_is_unavailable_soon(
    seaweedfs: SeaweedFS, keys_directory: Path, local: Path, use: Callable[[Store, Path], object]
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        config = with_(seaweedfs.config("p", keys_directory), endpoint=endpoint, region="us-east-1")
        begin = time.monotonic()
        error = refused(S3Store(config, IMPATIENT), use, local)
    assert isinstance(error, StoreUnavailable)
    assert str(error) == f"store s3://lccp/p at {endpoint} does not answer: connection refused"
    assert time.monotonic() - begin < 5


def test_a_server_that_says_nothing_is_unavailable_soon(
    seaweedfs: SeaweedFS, keys_directory: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = with_(seaweedfs.config("p", keys_directory), endpoint=endpoint)
        begin = time.monotonic()
        with pytest.raises(StoreUnavailable, match="no answer within the time allowed"):
            S3Store(config, IMPATIENT).get("a")
        assert 2 <= time.monotonic() - begin < 20


def test_a_host_name_that_does_not_exist_is_unavailable(
    seaweedfs: SeaweedFS, keys_directory: Path
) -> None:
    config = with_(seaweedfs.config("p", keys_directory), endpoint="http://nowhere.invalid:1")
    with pytest.raises(StoreUnavailable, match=r"nowhere\.invalid:1 does not answer"):
        S3Store(config, IMPATIENT).get("a")


ELSEWHERE = (Fault.BODY_CUT, Fault.NO_SUCH_KEY, Fault.SILENT)
"""Faults that have a test of their own: not every use meets the first two, and the last is slow."""


@pytest.mark.parametrize(
    "fault",
    [fault for fault in Fault if fault not in ELSEWHERE],
    ids=lambda fault: fault.name,
)
@use
def test_no_foreign_error_escapes(
    faulty_store: S3Store,
    proxy: FaultyProxy,
    local: Path,
    use: Callable[[Store, Path], object],
    fault: Fault,
) -> None:
    """Whatever happens to every request: an error of LCCP, in one sentence, without signature."""
    faulty_store.put("a", bytes(1000))
    proxy.always = fault
    assert "X-Amz" not in str(refused(faulty_store, use, local))


@pytest.mark.parametrize("name", ["get", "get_entry", "get_file", "list", "put_large_file"])
def test_no_foreign_error_escapes_from_a_cut_body(
    faulty_store: S3Store, proxy: FaultyProxy, local: Path, name: str
) -> None:
    faulty_store.put("a", bytes(1000))
    proxy.always = Fault.BODY_CUT
    assert isinstance(refused(faulty_store, USES[name], local), StoreUnavailable)


# Faults that pass


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.ANSWER_LOST], ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", [name for name in USES if name != "put_if_match"])
def test_faults_that_pass_are_ridden_out(
    faulty_store: S3Store, proxy: FaultyProxy, local: Path, name: str, fault: Fault
) -> None:
    if name not in ("put_if_absent", "delete"):
        faulty_store.put("a", b"1")
    proxy.faults = deque([fault, fault])
    USES[name](faulty_store, local)
    assert not proxy.faults


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_REQUESTS, Fault.CLOSED])
def test_slow_down_and_hang_up_are_ridden_out_too(
    faulty_store: S3Store, proxy: FaultyProxy, fault: Fault
) -> None:
    proxy.faults = deque([fault, None, fault])
    faulty_store.put("a", b"1")
    assert faulty_store.get("a") == b"1"


@pytest.mark.long
def test_an_upload_may_be_slow_as_long_as_it_moves(
    seaweedfs: SeaweedFS, proxy: FaultyProxy, keys_directory: Path, prefix: str, local: Path
) -> None:
    """The whole takes longer than the time allowed for each piece."""
    config = with_(seaweedfs.config(prefix, keys_directory), endpoint=proxy.endpoint)
    store = S3Store(config, Patience(connect_seconds=2, retries=1))
    proxy.rest_seconds = 0.3
    begin = time.monotonic()
    store.put_file("a", local / "large")
    assert time.monotonic() - begin > 2 * 2
    assert store.stat("a").size == (local / "large").stat().st_size


def test_an_upload_that_stalls_ends_soon(
    seaweedfs: SeaweedFS, proxy: FaultyProxy, keys_directory: Path, local: Path
) -> None:
    config = with_(seaweedfs.config("p", keys_directory), endpoint=proxy.endpoint)
    store = S3Store(config, IMPATIENT)
    proxy.rest_seconds = 20
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.put_if_absent("a", bytes(16 << 20))
    assert time.monotonic() - begin < 15


def test_faults_that_stay_end_the_patience(faulty_store: S3Store, proxy: FaultyProxy) -> None:
    proxy.always = Fault.BUSY
    proxy.requests.clear()
    with pytest.raises(StoreUnavailable, match="does not answer: status 503"):
        faulty_store.get("a")
    assert len(proxy.requests) == 4


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.CLOSED])
def test_who_wrote_first_knows_it_though_the_answer_was_lost(
    faulty_store: S3Store, proxy: FaultyProxy, fault: Fault
) -> None:
    proxy.faults = deque([fault])
    etag = faulty_store.put_if_absent("run.json", b"mine")
    assert etag == faulty_store.get_entry("run.json").etag
    proxy.faults = deque([fault])
    etag = faulty_store.put_if_match("run.json", b"mine again", etag)
    assert etag == faulty_store.get_entry("run.json").etag


def test_who_came_second_loses_though_an_answer_was_lost(
    faulty_store: S3Store, proxy: FaultyProxy
) -> None:
    etag = faulty_store.put_if_absent("run.json", b"first")
    faulty_store.put("run.json", b"second")
    for write in (
        lambda: faulty_store.put_if_absent("run.json", b"mine"),
        lambda: faulty_store.put_if_match("run.json", b"mine", etag),
        lambda: faulty_store.put_if_match("gone.json", b"mine", etag),
    ):
        proxy.faults = deque([Fault.ANSWER_LOST])
        with pytest.raises(Conflict):
            write()
        assert not proxy.faults
    assert faulty_store.get("run.json") == b"second"


def test_a_store_that_answers_404_is_told_apart_by_the_call(
    faulty_store: S3Store, proxy: FaultyProxy
) -> None:
    """Amazon S3 answers so to If-Match for an object that is gone; some stores to DELETE."""
    proxy.always = Fault.NO_SUCH_KEY
    with pytest.raises(Conflict, match="a was deleted by another writer"):
        faulty_store.put_if_match("a", b"1", "0" * 32)
    with pytest.raises(NotFound):
        faulty_store.get("a")
    faulty_store.delete("a")


@pytest.mark.parametrize(
    "write",
    [
        lambda store, _: store.put("a", b"1"),
        lambda store, _: store.put_if_absent("a", b"1"),
        lambda store, file: store.put_file("a", file),
    ],
    ids=["put", "put_if_absent", "put_file"],
)
def test_a_new_object_that_is_not_found_is_refused(
    faulty_store: S3Store,
    proxy: FaultyProxy,
    tmp_path: Path,
    write: Callable[[Store, Path], object],
) -> None:
    """Nobody deleted it: whatever answers there is no bucket."""
    proxy.always = Fault.NO_SUCH_KEY
    file = tmp_path / "file"
    file.write_bytes(b"1")

    with pytest.raises(StoreRefused, match="answers 404 to a write: there is no S3 bucket; check"):
        write(faulty_store, file)


def test_a_body_that_breaks_off_is_resumed(faulty_store: S3Store, proxy: FaultyProxy) -> None:
    data = random.Random(2).randbytes(5 << 20)
    faulty_store.put("large", data)
    proxy.faults = deque([Fault.BODY_CUT] * 3)
    assert faulty_store.get("large") == data
    assert not proxy.faults


def test_a_body_that_always_breaks_off_leaves_no_file(
    faulty_store: S3Store, proxy: FaultyProxy, tmp_path: Path
) -> None:
    faulty_store.put("large", bytes(1 << 20))
    proxy.always = Fault.BODY_CUT
    with pytest.raises(StoreUnavailable, match="connection was lost"):
        faulty_store.get_file("large", tmp_path / "got" / "large")
    assert list((tmp_path / "got").iterdir()) == []


class Meddler(deque[Fault | None]):
    """Faults of which each, when it happens, is followed by another writer's write."""

    def __init__(self, store: Store, faults: list[Fault]) -> None:
        super().__init__(faults)
        self._store = store

    def popleft(self) -> Fault | None:
        fault = super().popleft()
        if fault is None:
            self._store.put("large", bytes(4 << 20))
        return fault


def test_versions_are_never_mixed(
    faulty_store: S3Store, s3_store: S3Store, proxy: FaultyProxy
) -> None:
    faulty_store.put("large", bytes([1]) * (4 << 20))
    proxy.faults = Meddler(s3_store, [Fault.BODY_CUT, None])
    with pytest.raises(StoreUnavailable, match="changed while it was read"):
        faulty_store.get("large")


# Places


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s3:///p", "must be s3://bucket"),
        ("s3://bucket?p", "must be s3://bucket"),
        ("file:///p", "must be s3://bucket"),
        ("s3://bucket/a/../b", "'..'"),
    ],
)
def test_a_url_that_names_no_bucket_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        S3Store(StoreConfig(url=url), credentials=StaticProvider("access", "secret"))


def test_a_bucket_name_that_cannot_be_is_refused(
    seaweedfs: SeaweedFS, keys_directory: Path
) -> None:
    store = S3Store(with_(seaweedfs.config("p", keys_directory), url="s3://A"), QUICK)
    with pytest.raises(InvalidInput, match="store s3://A at"):
        store.list("")


def test_objects_lie_below_the_prefix_alone(
    seaweedfs: SeaweedFS, keys_directory: Path, prefix: str
) -> None:
    bucket = S3Store(with_(seaweedfs.config("", keys_directory), url="s3://lccp"), QUICK)
    below = S3Store(seaweedfs.config(f"{prefix}/a", keys_directory), QUICK)
    beside = S3Store(seaweedfs.config(f"{prefix}/ab", keys_directory), QUICK)
    below.put("x", b"1")
    beside.put("y", b"1")
    assert [info.key for info in below.list("")] == ["x"]
    assert [info.key for info in bucket.list(prefix)] == [f"{prefix}/a/x", f"{prefix}/ab/y"]
    with pytest.raises(NotFound):
        below.get("y")
