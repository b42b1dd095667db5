"""What an installation gives to all runs: stores, images, defaults of pods."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import Field

from lccp.api.base import Contract
from lccp.api.errors import InvalidInput
from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned, PodDefaults
from lccp.api.run import LCCPRun

CONFIG_VARIABLE = "LCCP_INSTALLATION"
CONFIG_PATH = "/etc/lccp/installation.yaml"


class LeaseSettings(Contract):
    """Which of the operator's replicas leads; terms as in client-go's leader election."""

    name: Annotated[str, Field(description="Name of the Lease in the release's namespace.")]
    namespace: Annotated[str, Field(description="The release's namespace.")]
    duration_seconds: Annotated[int, Field(ge=3, description="Silence that ends it.")] = 12
    renew_seconds: Annotated[int, Field(ge=1, description="Between two renewals.")] = 3


class Installation(PodDefaults):
    """Configuration of the operator; the chart renders it into a ConfigMap."""

    stores: Annotated[tuple[StoreConfig, ...], Field(min_length=1, description="Object stores.")]
    trainer_image: Annotated[str, Field(min_length=1, description="Default trainer image.")]
    evaluator_image: Annotated[str, Field(min_length=1, description="Default evaluator image.")]
    operator_image: Annotated[str, Field(min_length=1, description="Image of purge Jobs.")]
    namespaces: Annotated[
        tuple[str, ...], Field(description="Namespaces that are watched; none: all of them.")
    ] = ()
    lease: Annotated[LeaseSettings | None, Field(description="None: a single replica.")] = None

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """The configuration file that `LCCP_INSTALLATION` names, or the chart's default place."""
        path = Path(environ.get(CONFIG_VARIABLE, CONFIG_PATH))
        try:
            return cls.parse(yaml.safe_load(path.read_text()), str(path))
        except OSError as error:
            raise InvalidInput(
                f"{path}: cannot be read ({error.strerror}): set {CONFIG_VARIABLE} to the "
                "installation's configuration file"
            ) from None
        except yaml.YAMLError as error:
            raise InvalidInput(f"{path}: is not YAML: {error}") from None

    def store(self, name: str) -> StoreConfig | None:
        """The store that runs call `name`, or None."""
        return next((store for store in self.stores if store.name == name), None)

    @cached_property
    def pod_defaults(self) -> PodDefaults:
        """What it puts into the pods of runs."""
        return PodDefaults(**{name: getattr(self, name) for name in PodDefaults.model_fields})

    def offered(self, run: LCCPRun) -> Pinned:
        """What is pinned of it when `run` starts."""
        return Pinned(
            trainer_image=run.spec.topology.image or self.trainer_image,
            evaluator_image=run.spec.evaluation.image or self.evaluator_image,
            templates=self.pod_defaults,
        )
