"""What an installation provides for all runs: stores, images, defaults of pods."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned, PodDefaults
from lccp.api.run import LCCPRun
from lccp.api.spec.workload import ResourceSpec
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp.yaml_files import document

CONFIG_VARIABLE = "LCCP_INSTALLATION"
CONFIG_PATH = "/etc/lccp/installation.yaml"
CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
CA_LENGTH_MAX = 65_536
"""Characters: the kernel's limit for a variable is twice that."""


LEASE_SECONDS_MAX = 24
"""The longest a Lease lasts without renewal: whoever waits for one takes it then, whatever it says,
since somebody may have edited it to last for decades. No replica writes a longer one."""


class LeaseSettings(Contract):
    """Which of the operator's replicas leads; terms as in client-go's leader election."""

    name: Annotated[str, Field(description="Name of the Lease in the release's namespace.")]
    namespace: Annotated[str, Field(description="The release's namespace.")]
    duration_seconds: Annotated[
        int,
        Field(
            ge=3,
            le=LEASE_SECONDS_MAX,
            description="Seconds without renewal after which it expires.",
        ),
    ] = 12
    renew_seconds: Annotated[int, Field(ge=1, description="Seconds between two renewals.")] = 3


class ReleaseSettings(Contract):
    """The Helm release of an installation."""

    name: Annotated[str, Field(description="Name of its objects.")]
    namespace: Annotated[str, Field(description="Their namespace.")]


class Installation(PodDefaults):
    """Configuration of the operator; the chart renders it into a ConfigMap."""

    stores: Annotated[tuple[StoreConfig, ...], Field(min_length=1, description="Object stores.")]
    trainer_image: Annotated[str, Field(min_length=1, description="Default trainer image.")]
    evaluator_image: Annotated[str, Field(min_length=1, description="Default evaluator image.")]
    operator_image: Annotated[str, Field(min_length=1, description="Image of purge Jobs.")]
    purge_resources: Annotated[ResourceSpec, Field(description="Resources of purge Jobs.")] = (
        ResourceSpec(requests={"cpu": "100m", "memory": "128Mi"}, limits={"memory": "512Mi"})
    )
    namespaces: Annotated[
        tuple[str, ...], Field(description="Namespaces to watch; none: all of them.")
    ] = ()
    release: Annotated[
        ReleaseSettings | None,
        Field(description="Its release; none: other installations are not checked for."),
    ] = None
    adopt_from: Annotated[
        tuple[str, ...],
        Field(description="Installations that are gone, whose runs this one takes over."),
    ] = ()
    checkpoint_aware_preemption: Annotated[
        bool,
        Field(description="Annotate the gangs' Jobs with the time of their newest complete state."),
    ] = False
    kueue_priority_boost: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000_000,
            description="Points that a gang's Workload in Kueue gets while that state is old.",
        ),
    ] = 0
    lease: Annotated[LeaseSettings | None, Field(description="None: a single replica.")] = None

    @property
    def state_boost(self) -> int | None:
        """Points of priority for a gang whose newest state is old; None: none is recorded."""
        return self.kueue_priority_boost if self.checkpoint_aware_preemption else None

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """The configuration in the file that `LCCP_INSTALLATION` names, or in the chart's."""
        path = Path(environ.get(CONFIG_VARIABLE, CONFIG_PATH))
        if not path.is_file():
            raise InvalidInput(
                f"{path}: there is no such file: set {CONFIG_VARIABLE} to the installation's "
                "configuration file"
            )
        given = cls.parse(document(path), str(path))
        return given.model_copy(update={"stores": tuple(map(_with_ca, given.stores))})

    def store(self, name: str) -> StoreConfig | None:
        """The store that runs refer to as `name`, or None."""
        return next((store for store in self.stores if store.name == name), None)

    @cached_property
    def pod_defaults(self) -> PodDefaults:
        """The settings that it adds to the pods of runs."""
        return PodDefaults(**{name: getattr(self, name) for name in PodDefaults.model_fields})

    def offered(self, run: LCCPRun) -> Pinned:
        """The settings that are pinned when `run` starts."""
        return Pinned(
            trainer_image=run.spec.topology.image or self.trainer_image,
            evaluator_image=run.spec.evaluation.image or self.evaluator_image,
            purger_image=self.operator_image,
            purger_resources=self.purge_resources,
            templates=self.pod_defaults,
        )


def _with_ca(store: StoreConfig) -> StoreConfig:
    """`store` with the certificates of its CA instead of their file, as pods can use it."""
    if store.ca_file is None:
        return store
    where = f"store {store.name}: caFile {store.ca_file}"
    try:
        found = CERTIFICATE.findall(Path(store.ca_file).read_text(errors="replace"))
    except OSError as error:
        raise InvalidInput(f"{where}: cannot be read ({error.strerror})") from None
    bundle = "".join(f"{certificate}\n" for certificate in found)
    if not bundle:
        raise InvalidInput(f"{where}: holds no CA certificates in PEM")
    if len(bundle) > CA_LENGTH_MAX:
        raise InvalidInput(
            f"{where}: holds more than {CA_LENGTH_MAX:,} characters of certificates, which every "
            "pod receives: name a file with only this store's CA"
        )
    return store.model_copy(update={"ca_file": None, "ca_bundle": bundle})
