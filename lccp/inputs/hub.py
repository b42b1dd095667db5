"""A repository of Hugging Face's hub, or of a server that speaks its protocol (HF_ENDPOINT)."""

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar

from lccp.api.objects.inputs import Input, InputFile
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.contract.location import HubLocation
from lccp.inputs.remote import Wanted

TRIES = 5
BACKOFF_SECONDS = 2.0
"""Wait before the second try; doubled with each further one."""
TIMEOUT_SECONDS = 15.0
WAIT_SECONDS_MAX = 60.0
"""Longest wait before another try, where the hub requests one (`Retry-After`)."""
CARD = "README.md"
TOKEN = "set HF_TOKEN to a token that may read it"

Answer = TypeVar("Answer")


class Hub:
    """A repository, or a file or folder in it.

    Args:
        where: field of the spec, for messages.
        endpoint: URL of the server; None: https://huggingface.co.
    """

    def __init__(
        self,
        location: HubLocation,
        where: str,
        endpoint: str | None = None,
        backoff_seconds: float = BACKOFF_SECONDS,
    ) -> None:
        try:
            from huggingface_hub import HfApi
            from huggingface_hub.utils.tqdm import disable_progress_bars
        except ImportError:
            raise InvalidInput(
                f"{where}: {location.url} needs the package huggingface_hub: install lccp[trainer]"
            ) from None
        disable_progress_bars()
        # its warnings name URLs with their signatures
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        self._location, self._where = location, where
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise InvalidInput(f"{where}: HF_ENDPOINT must begin with https:// or http://")
        self._api = HfApi(endpoint=endpoint)
        self._backoff_seconds = backoff_seconds
        self._kind = "dataset" if location.is_dataset else "model"

    @property
    def url(self) -> str:
        return self._location.url

    def find(self, wanted: Wanted) -> Input:
        from huggingface_hub.hf_api import RepoFile

        repository, path = self._location.repository, self._location.path
        info = self._asked(
            lambda: self._api.repo_info(
                repository,
                repo_type=self._kind,
                revision=self._location.revision,
                timeout=TIMEOUT_SECONDS,
            )
        )
        tree = self._asked(
            lambda: list(
                self._api.list_repo_tree(
                    repository, recursive=True, revision=info.sha, repo_type=self._kind
                )
            )
        )
        below = f"{path}/" if path else ""
        files = {
            entry.path: InputFile(
                size=entry.size,
                etag=entry.blob_id,
                sha256=entry.lfs.sha256 if entry.lfs else None,
            )
            for entry in tree
            if isinstance(entry, RepoFile) and entry.path != CARD
            if entry.path == path
            or (entry.path.startswith(below) and wanted(entry.path.removeprefix(below)))
        }
        if not files:
            raise InvalidInput(
                f"{self._where}: {self._location.url} contains no files that the run needs"
            )
        return Input(location=self.url, revision=info.sha, path=path, files=files)

    def get(self, found: Input, name: str, folder: Path) -> None:
        self._asked(
            lambda: self._api.hf_hub_download(
                self._location.repository,
                name,
                repo_type=self._kind,
                revision=found.revision,
                local_dir=folder,
                etag_timeout=TIMEOUT_SECONDS,
            )
        )

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """The result of `ask`, retried while the hub does not answer."""
        for number in range(TRIES):
            try:
                return ask()
            except Exception as error:
                if not _passes(error):
                    raise InvalidInput(self._refusal(error)) from None
                last = error
            if number < TRIES - 1:
                asked = retry_after_seconds(_header(last, "Retry-After"), datetime.now(UTC))
                time.sleep(max(asked, self._backoff_seconds * 2**number))
        raise StoreUnavailable(
            f"{self._where}: the hub {without_credentials(self._api.endpoint)} does not answer, "
            f"after {TRIES} tries ({_words(last)}): check the network, or set HF_ENDPOINT"
        )

    def _refusal(self, error: Exception) -> str:
        from huggingface_hub import errors

        place = f"{self._where}: {self._location.url}"
        match error:
            case errors.GatedRepoError():
                return f"{place} is gated: accept its terms on the hub, and {TOKEN}"
            case errors.RepositoryNotFoundError():
                return f"{place}: the hub shows no such repository: correct the name, or {TOKEN}"
            case errors.RevisionNotFoundError():
                return f"{place}: the repository has no such revision: name an existing one"
            case errors.OfflineModeIsEnabled():
                return f"{place} can't be read while HF_HUB_OFFLINE is set: unset it"
        status = _status(error)
        if status in (401, 403):
            return f"{place} is refused by the hub ({status}): {TOKEN}"
        return f"{place}: {'the hub answers ' if status else ''}{_words(error)}"


def without_credentials(text: str) -> str:
    """`text` with user, password and query (perhaps a signature) removed from all its URLs."""
    return re.sub(r"(https?://)(?:[^/\s?#'\"]*@)?([^\s?'\"]*)(?:\?[^\s'\"]*)?", r"\1\2", text)


def retry_after_seconds(value: str, now: datetime) -> float:
    """Seconds to wait by `Retry-After` (RFC 9110: seconds, or a date), at most WAIT_SECONDS_MAX.

    0 for anything else.
    """
    try:
        seconds = float(value) if value.isdecimal() else _date(value, now)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), WAIT_SECONDS_MAX)


def _date(value: str, now: datetime) -> float:
    """Seconds from `now` to the date. Raises ValueError."""
    at = parsedate_to_datetime(value)
    return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()


def _passes(error: Exception) -> bool:
    """Whether the error may pass soon: no answer, an overloaded server, a broken connection."""
    import httpx
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return False
    status = _status(error)
    if status is not None:
        return status >= 500 or status in (408, 429)
    kinds = (httpx.TransportError, ConnectionError, TimeoutError, LocalEntryNotFoundError)
    return isinstance(error, kinds) or "Consistency check failed" in str(error)


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _header(error: Exception, name: str) -> str:
    """A header of the answer; empty where there is none."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    return str(headers.get(name, ""))


def _words(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:  # its own text holds the URL, and the server's
        return f"{response.status_code} {response.reason_phrase}".strip()
    first, *_ = str(error).strip().splitlines() or [""]
    return without_credentials(first) or type(error).__name__
