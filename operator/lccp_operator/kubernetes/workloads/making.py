"""Making the objects of a run's workloads; a Job that an admission webhook changed is not kept."""

from collections.abc import Iterator

from lccp.api.run import LCCPRun
from lccp.contract.errors import Conflict, InvalidInput, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import owner_uids

COUNTS = ("completions", "parallelism", "completionMode")
PROGRAM = ("command", "args")


class Making:
    """Makes objects of one run. Once a Job came back changed, the next ones are tried first."""

    def __init__(self, cluster: api.Cluster) -> None:
        self._cluster = cluster
        self._tries_first = False

    def make(self, run: LCCPRun, kind: api.Kind, document: Object) -> Object:
        """The object, new or existing.

        Raises:
            InvalidInput: it is someone else's, is refused, or would not be as requested.
            Conflict: it existed, and is gone by now.
        """
        try:
            return self._job(document) if kind is api.JOBS else self._cluster.create(kind, document)
        except api.AlreadyExists:
            return self._existing(run, kind, document)

    def _job(self, document: Object) -> Object:
        """The new Job. One that came back changed is deleted before its pods do much."""
        if self._tries_first:
            _check(document, self._cluster.create(api.JOBS, document, dry_run=True))
        made = self._cluster.create(api.JOBS, document)
        self._tries_first = False
        try:
            _check(document, made)
        except InvalidInput:
            self._tries_first = True
            meta = made["metadata"]
            place = (meta["namespace"], meta["name"], meta["uid"])
            self._cluster.delete(api.JOBS, *place, foreground=False)
            raise
        return made

    def _existing(self, run: LCCPRun, kind: api.Kind, document: Object) -> Object:
        namespace, name = run.metadata.namespace, document["metadata"]["name"]
        what = f"{document['kind']} {name}"
        try:
            found = self._there(kind, namespace, name)
        except NotFound:
            raise Conflict(f"{what} existed, and is gone") from None
        if run.metadata.uid not in owner_uids(found):
            raise InvalidInput(
                f"there is another {what} in the namespace, which does not belong to this run: "
                "delete it or rename the run"
            )
        return found

    def _there(self, kind: api.Kind, namespace: str, name: str) -> Object:
        """The object. Raises NotFound. The operator may only list Jobs, not get one."""
        if kind is not api.JOBS:
            return self._cluster.get(kind, namespace, name)
        found = self._cluster.list(kind, namespace, fieldSelector=f"metadata.name={name}")
        if not found:
            raise NotFound(name)
        return found[0]


def _check(asked: Object, made: Object) -> None:
    """Raises InvalidInput if the Job lacks what its run depends on."""
    changes = "; ".join(changed(asked, made))
    if changes:
        raise InvalidInput(
            f"an admission webhook changes Job {asked['metadata']['name']} ({changes}): it is "
            "not kept, and is created again once it stays as requested"
        )


def changed(asked: Object, made: Object) -> Iterator[str]:
    """What a Job lacks of what was asked: numbers and labels of pods, programs, and images.

    Whatever is added is accepted, and so is the same image of another registry or by its digest.
    """
    template, made_template = asked["spec"]["template"], made["spec"]["template"]
    yield from _differences("metadata.labels", _labels(asked), _labels(made))
    counts = {field: asked["spec"].get(field) for field in COUNTS if field in asked["spec"]}
    yield from _differences("spec", counts, made["spec"])
    path = "spec.template"
    yield from _differences(f"{path}.metadata.labels", _labels(template), _labels(made_template))
    there = {container["name"]: container for container in made_template["spec"]["containers"]}
    for container in template["spec"]["containers"]:
        where = f"{path}.spec.containers[{container['name']}]"
        found = there.get(container["name"], {})
        program = {field: container[field] for field in PROGRAM if field in container}
        yield from _differences(where, program, found)
        if not _is_image(container["image"], found.get("image", "")):
            yield f"{where}.image is {found.get('image')}, not {container['image']}"


def _labels(document: Object) -> Object:
    labels: Object = document.get("metadata", {}).get("labels", {})
    return labels


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


def _differences(path: str, asked: Object, made: Object) -> Iterator[str]:
    for name, value in asked.items():
        if made.get(name) != value:
            yield f"{path}.{name} is {made.get(name, 'absent')}, not {value}"
