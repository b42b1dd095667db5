"""Every Job that ever existed: a look at the end would miss some."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]
OPTIONS = ("--all-namespaces", "--watch", "--output-watch-events", "--output=json")


@dataclass(frozen=True)
class WatchedJobs:
    """The Jobs that a watch has told of, since it began."""

    told: Path

    def of(self, namespace: str) -> dict[str, Object]:
        """Jobs of the namespace by UID, as last seen."""
        found = (event["object"] for event in _documents(self.told.read_text()))
        jobs = (job for job in found if job["metadata"].get("namespace") == namespace)
        return {job["metadata"]["uid"]: job for job in jobs}

    def repeated(self, namespace: str) -> list[str]:
        """Names that more than one Job had."""
        names = [job["metadata"]["name"] for job in self.of(namespace).values()]
        return sorted({name for name in names if names.count(name) > 1})


def _documents(text: str) -> Iterator[Object]:
    """JSON documents one after another; the last one may still be incomplete."""
    decoder, end = json.JSONDecoder(), len(text.rstrip())
    at = 0
    while at < end:
        at += text[at] == "\n"
        try:
            document, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return
        yield document


@contextmanager
def watched_jobs(folder: Path) -> Iterator[WatchedJobs]:
    """Watch the Jobs of all namespaces, until the block ends."""
    told = folder / "jobs.json"
    with told.open("wb") as output:
        process = subprocess.Popen(("kubectl", "get", "jobs", *OPTIONS), stdout=output)
        try:
            yield WatchedJobs(told)
        finally:
            process.kill()
            process.wait()
