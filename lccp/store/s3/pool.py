"""Connections on which every call ends: a peer that is alive but hardly moves is a silent one.

A socket's timeout bounds the wait for one piece of an answer, of a single byte if it comes so. Here
it bounds the wait for each 64 KiB, or for the rest of the answer if that is less. Large objects may
take as long as they need at any higher rate. A store that joins the parts of a large object sends
white space until it has, for minutes (CompleteMultipartUpload of Amazon and MinIO): the answer to a
POST may take ten times as long.
"""

import http.client
import io
import socket
import time
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

PIECE_BYTES = 1 << 16
_JOINING = 10


class Pool(urllib3.PoolManager):
    """Sends and receives in pieces, each within the timeout: it bounds a stall, not a transfer.

    Redirects are not followed: a signature is valid for one host only.
    """

    def __init__(self, **how: Any) -> None:
        super().__init__(blocksize=PIECE_BYTES, **how)
        self.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def urlopen(self, *args: Any, **kw: Any) -> Any:
        body = kw.get("body")
        if isinstance(body, bytes) and len(body) > PIECE_BYTES:
            kw["body"] = io.BytesIO(body)
        return super().urlopen(*args, **kw | {"redirect": False})


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kw: Any) -> None:
        super().__init__(sock, *args, **kw)
        seconds = sock.gettimeout()
        if seconds is not None:
            joins = kw.get("method") == "POST"
            bound = _JOINING * seconds if joins else seconds
            self.fp = io.BufferedReader(_Pieces(self.fp.detach(), bound))


class _Pieces(io.RawIOBase):
    """Bytes of one answer. Raises TimeoutError if a piece takes longer than `seconds`.

    Only waiting counts, not what the reader does between two reads; nor does the wait for the first
    byte, in which the server may search, and which the socket bounds.
    """

    def __init__(self, source: io.RawIOBase, seconds: float) -> None:
        self._source = source
        self._seconds = seconds
        self._waited = 0.0
        self._received = 0
        self._began = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        asked = time.monotonic()
        count = self._source.readinto(buffer)
        if self._began:
            self._waited += time.monotonic() - asked
        self._began = True
        self._received += count or 0
        if self._received >= PIECE_BYTES:
            self._waited, self._received = 0.0, 0
        elif self._waited > self._seconds and count:
            raise TimeoutError(f"less than {PIECE_BYTES} bytes in {self._seconds:g} s")
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class _Http(HTTPConnection):
    response_class = _Answer


class _Https(HTTPSConnection):
    response_class = _Answer


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https
