"""Runs, and the objects that belong to them, in a namespace of a real API server."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import a_run
from a_run import now
from kubernetes import client, config
from operator_process import wait_for
from operator_world import EVERY_TOKENS, heartbeat_of, manifest_of, report_of

from lccp.api.causes import Cause
from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import Journal
from lccp.api.objects.training import End
from lccp.store import objects
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys, writer_name
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.states import INDEX_LABEL

CRDS = api.Kind("apiextensions.k8s.io/v1", "customresourcedefinitions")


def connect(kubeconfig: Path) -> api.Cluster:
    """The API server of `kubeconfig`, as its user."""
    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=settings)
    settings.connection_pool_maxsize = 20
    return api.Cluster(client.ApiClient(settings))


def run_document(name: str, length: int = 2, **spec: Any) -> Object:
    """A run of `length` checkpoints; `spec` replaces whole parts."""
    training = {
        "tokens": length * EVERY_TOKENS,
        "globalBatchTokens": 4_096,
        "learningRate": "1.5e-4",
    }
    parts = {
        "training": training,
        "checkpoints": {"everyTokens": EVERY_TOKENS},
        "restartPolicy": {"maxRestarts": 1, "backoffSeconds": 0},
        **spec,
    }
    return a_run.manifest(**parts) | {"metadata": {"name": name}}


@dataclass(frozen=True)
class Namespace:
    """One namespace, and the folder that is the store of its runs."""

    api: api.Cluster
    name: str
    root: Path

    @classmethod
    def create(cls, cluster: api.Cluster, root: Path, labels: dict[str, str] | None = None) -> Any:
        name = f"lccp-{uuid.uuid4().hex[:8]}"
        metadata = {"name": name, "labels": labels or {}}
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        cluster.call("POST", "/api/v1/namespaces", document)
        return cls(cluster, name, root)

    def create_object(self, kind: api.Kind, document: Object) -> Object:
        metadata = document["metadata"] | {"namespace": self.name}
        return self.api.create(kind, document | {"metadata": metadata})

    def create_run(self, document: Object) -> Object:
        return self.create_object(api.RUNS, document)

    def delete_run(self, name: str) -> None:
        """As `kubectl delete` does it."""
        self.api.call("DELETE", api.RUNS.path(self.name, name))

    def run(self, name: str) -> Object:
        return self.api.get(api.RUNS, self.name, name)

    def conditions(self, name: str) -> dict[str, Object]:
        found = self.run(name).get("status", {}).get("conditions", ())
        return {condition["type"]: condition for condition in found}

    def wait_condition(self, name: str, type_: str, *wanted: str, seconds: float = 40.0) -> Object:
        """The condition, once its status or its reason is one of those wanted."""

        def found() -> Object | None:
            condition = self.conditions(name).get(type_, {})
            return (
                condition
                if {condition.get("status"), condition.get("reason")} & {*wanted}
                else None
            )

        complaint = f"{name}: {type_} never became {wanted}"
        try:
            condition: Object = wait_for(found, complaint, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.conditions(name)}") from None
        return condition

    def job(self, name: str) -> Object | None:
        return next((j for j in self.jobs() if j["metadata"]["name"] == name), None)

    def wait_job(self, name: str) -> Object:
        found: Object = wait_for(lambda: self.job(name), f"Job {name} was not created")
        return found

    def jobs(self) -> list[Object]:
        return self.api.list(api.JOBS, self.name)

    def pods(self, job: str, phase: str | None = None) -> list[Object]:
        """Pods of the Job, or those of them that are in `phase`, by index."""
        selector = f"batch.kubernetes.io/job-name={job}"
        found = self.api.list(api.PODS, self.name, labelSelector=selector)
        found.sort(key=lambda p: str(p["metadata"]["labels"].get(INDEX_LABEL)))
        return [p for p in found if phase in (None, p["status"].get("phase"))]

    def wait_running(self, job: str, number: int = 1, seconds: float = 120.0) -> list[Object]:
        """Its pods, once so many of them run."""

        def running() -> list[Object]:
            found = self.pods(job, "Running")
            return found if len(found) == number else []

        pods: list[Object] = wait_for(running, f"{job}: no {number} pods run", seconds=seconds)
        return pods

    def events(self, name: str) -> list[str]:
        """Reasons of the run's events, oldest first."""
        selector = f"involvedObject.kind=LCCPRun,involvedObject.name={name}"
        found = self.api.list(api.EVENTS, self.name, fieldSelector=selector)
        return [e["reason"] for e in sorted(found, key=lambda e: str(e["firstTimestamp"]))]

    # What trainer and evaluators write ---------------------------------------------------------

    @property
    def store(self) -> FileStore:
        return FileStore(self.root)

    def keys(self, run: str) -> RunKeys:
        return RunKeys(self.name, run)

    def journal(self, run: str) -> Journal:
        return objects.read(self.store, self.keys(run).journal, Journal)

    def beat(self, run: str, attempt: int, tokens: int) -> None:
        own = {"writer": self._writer(run, attempt)}
        beat = heartbeat_of(attempt, tokens, now()).model_copy(update=own)
        self.store.put(self.keys(run).heartbeat(beat.writer), beat.to_json())

    def save(self, run: str, attempt: int, tokens: int) -> None:
        """A complete checkpoint, and the heartbeat that follows it."""
        key = self.keys(run).checkpoint_manifest(tokens)
        self.store.put(key, manifest_of(tokens).to_json())
        self.beat(run, attempt, tokens)

    def end(self, run: str, attempt: int, tokens: int, result: Cause, **more: Any) -> None:
        end = End(result=result, tokens=tokens, at=now(), **more)
        self.store.put(self.keys(run).end(self._writer(run, attempt)), end.to_json())

    def _writer(self, run: str, attempt: int) -> str:
        """The first pod of the attempt, if there is one yet."""
        uids = [str(pod["metadata"]["uid"]) for pod in self.pods(f"{run}-train-a{attempt}")]
        return writer_name(attempt, next(iter(uids), f"{attempt:08x}"))

    def report(self, run: str, tokens: int, suite: str = INTRINSIC) -> None:
        report = report_of(manifest_of(tokens)).model_copy(update={"suite": suite})
        self.store.put(self.keys(run).report(tokens, suite), report.to_json())


class JobPlayer:
    """Does what the Job controller and kubelet would do with the Jobs of a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._api = namespace.api

    def start(
        self, name: str, phase: str = "Running", *, number: int | None = None, **status: Any
    ) -> list[Object]:
        """Pods of the Job, all or so many, in `phase`, with more of their `status` given."""
        job = self._namespace.wait_job(name)
        indices = range(job["spec"]["parallelism"] if number is None else number)
        pods = [self._pod(job, index) for index in indices]
        for pod in pods:
            self._patch_pod(pod, {"phase": phase, **status})
        self._patch_job(name, {"startTime": _time(), "active": len(pods), "ready": 0})
        return pods

    def end(self, name: str, code: int = 0, rule: int | None = None) -> None:
        """The Job ends with its pods, all with `code`; a failure by the rule of that index."""
        for pod in self._namespace.pods(name):
            state = {"terminated": {"exitCode": code, "finishedAt": _time()}}
            container = {"name": pod["spec"]["containers"][0]["name"], "image": "", "imageID": ""}
            container |= {"ready": False, "restartCount": 0, "state": state}
            phase = "Failed" if code else "Succeeded"
            self._patch_pod(pod, {"phase": phase, "containerStatuses": [container]})
        told = f"Container exited matching FailJob rule at index {rule}"
        if code:
            self.fail(name, "PodFailurePolicy", told)
        else:
            met = _true("SuccessCriteriaMet", "CompletionsReached"), _true("Complete", "Reached")
            counted = {"active": 0, "ready": 0, "succeeded": 1, "completionTime": _time()}
            self._patch_job(name, counted | {"conditions": list(met)})

    def fail(self, name: str, reason: str = "BackoffLimitExceeded", message: str = "") -> None:
        """The Job fails by what became of its pods."""
        told = [_true(type_, reason, message) for type_ in ("FailureTarget", "Failed")]
        self._patch_job(name, {"active": 0, "ready": 0, "failed": 1, "conditions": told})

    def let_go(self, name: str) -> None:
        """Once the Job's deletion is asked for, do what the garbage collector does."""

        def asked() -> bool:
            job = self._namespace.job(name)
            return job is None or "deletionTimestamp" in job["metadata"]

        wait_for(asked, f"nobody deletes Job {name}")
        released = {"metadata": {"finalizers": []}}
        for pod in self._namespace.pods(name):
            where = api.PODS, self._namespace.name, pod["metadata"]["name"]
            self._api.delete(*where)
            self._api.patch(*where, released)
        self._api.patch(api.JOBS, self._namespace.name, name, released)

    def _pod(self, job: Object, index: int) -> Object:
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        template = job["spec"]["template"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
        metadata = {
            "name": f"{name}-{index}-{uuid.uuid4().hex[:5]}",
            "labels": template["metadata"]["labels"] | {INDEX_LABEL: str(index)},
            "ownerReferences": [owner | {"controller": True}],
        }
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        return self._namespace.create_object(api.PODS, document | {"spec": template["spec"]})

    def _patch_pod(self, pod: Object, status: Object) -> None:
        where = (self._namespace.name, pod["metadata"]["name"])
        self._api.patch(api.PODS, *where, {"status": status}, "status")

    def _patch_job(self, name: str, status: Object) -> None:
        self._api.patch(api.JOBS, self._namespace.name, name, {"status": status}, "status")


def _true(type_: str, reason: str, message: str = "") -> Object:
    told = {"type": type_, "status": "True", "reason": reason, "message": message}
    return told | {"lastTransitionTime": _time()}


def _time() -> str:
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")
