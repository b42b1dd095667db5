"""What was asked of a Job: recorded with it, and compared with what it has become. Pure.

Compared is what its run depends on: numbers, labels, images, programs and LCCP's variables,
accelerators, volumes and nodes. Whatever is added is accepted, and so is the same image of another
registry or by its digest. The API server leaves empty values and lists out: they are as absent.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lccp.api import labels
from lccp.api.spec.workload import amount
from lccp_operator.kubernetes.api.merge import Object

COUNTS = ("completions", "parallelism", "completionMode")
PROGRAM = ("command", "args")
ENV_PREFIX = "LCCP_"
"""Of the variables that tell a process what to do."""
SET_BY_HAND = "spec.parallelism"
"""Changed to hold a Job back: only the answer to its creation is compared with it."""

DEFAULT_VOLUME = "emptyDir"


def annotation(job: Object) -> dict[str, str]:
    """The annotation that records what is asked of `job`."""
    kept = {path: value for path, value in _essentials(job) if path != SET_BY_HAND}
    return {labels.REQUESTED: json.dumps(kept, separators=(",", ":"))}


def changed(asked: Object, made: Object) -> list[str]:
    """What the Job `made` lacks of what was asked, in words."""
    return _differences(dict(_essentials(asked)), made)


def changed_since(made: Object) -> list[str]:
    """The same for a Job that records it; nothing for one that doesn't, or not legibly.

    Nothing for a pod either, even if somebody gave it that annotation.
    """
    if "template" not in made.get("spec", {}):
        return []
    try:
        asked = json.loads(made["metadata"]["annotations"][labels.REQUESTED])
    except (KeyError, ValueError, RecursionError):
        return []
    return _differences(asked, made) if isinstance(asked, dict) else []


def refusal(name: str, changes: list[str]) -> str:
    """The consequence of the changes to the Job of that name, in a sentence."""
    return (
        f"an admission webhook changes Job {name} ({'; '.join(changes)}): it is deleted, "
        "and created again once the webhook leaves it as requested"
    )


def _differences(asked: Mapping[str, Any], made: Object) -> list[str]:
    found = dict(_essentials(made))
    return [
        f"{path} is {found.get(path, 'absent')}, not {value}"
        for path, value in asked.items()
        if not _is_same(path, value, found.get(path))
    ]


def _essentials(job: Object) -> Iterator[tuple[str, Any]]:
    """Paths of fields, in words, and their values."""
    spec, template = job["spec"], job["spec"]["template"]
    yield from _labels("metadata", job)
    yield from ((f"spec.{name}", spec[name]) for name in COUNTS if name in spec)
    yield from _labels("spec.template.metadata", template)
    path, pods = "spec.template.spec", template["spec"]
    for name, value in (pods.get("nodeSelector") or {}).items():
        yield f"{path}.nodeSelector.{name}", value
    for volume in pods.get("volumes") or ():
        sources = sorted(volume.keys() - {"name"}) or [DEFAULT_VOLUME]
        yield f"{path}.volumes[{volume['name']}]", " ".join(sources)
    for field in ("initContainers", "containers"):
        for container in pods.get(field) or ():
            yield from _container(f"{path}.{field}[{container['name']}]", container)


def _labels(path: str, document: Object) -> Iterator[tuple[str, Any]]:
    for name, value in document.get("metadata", {}).get("labels", {}).items():
        yield f"{path}.labels.{name}", value


def _container(path: str, container: Object) -> Iterator[tuple[str, Any]]:
    yield from ((f"{path}.{name}", container[name]) for name in PROGRAM if container.get(name))
    yield f"{path}.image", container.get("image")
    for variable in container.get("env") or ():
        if variable["name"].startswith(ENV_PREFIX) and "valueFrom" not in variable:
            yield f"{path}.env[{variable['name']}]", variable.get("value") or ""
    limits = (container.get("resources") or {}).get("limits") or {}
    for name, limit in limits.items():
        if "/" in name:
            yield f"{path}.resources.limits.{name}", _number(str(limit))
    for mount in container.get("volumeMounts") or ():
        yield f"{path}.volumeMounts[{mount['mountPath']}]", mount["name"]


def _number(limit: str) -> int | str:
    """Its amount, or the text itself, on which the API server decides."""
    try:
        return amount(limit)
    except ArithmeticError:
        return limit


def _is_same(path: str, asked: Any, made: Any) -> bool:
    if path.endswith(".image") and isinstance(asked, str) and isinstance(made, str):
        return _is_image(asked, made)
    return bool(asked == made)


def _is_image(asked: str, made: str) -> bool:
    """Whether both have one name, and one digest, or else one tag.

    A mirror has the image under another registry and path, and a policy that pins images adds the
    digest to its tag, or puts it in the tag's place.
    """
    (name, tag, digest), (found, its_tag, its_digest) = _parts(asked), _parts(made)
    same = digest == its_digest if digest else its_tag == tag or bool(its_digest and not its_tag)
    return found == name and same


def _parts(image: str) -> tuple[str, str, str]:
    """Its name without registry and path, its tag, and its digest."""
    named, _, digest = image.partition("@")
    name, _, tag = named.rpartition("/")[2].partition(":")
    return name, tag, digest
