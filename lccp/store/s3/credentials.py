"""Keys to an S3 store: from a mounted Secret, the environment, or the pod's identity."""

import os
from pathlib import Path

import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import EnvAWSProvider, IamAwsProvider, Provider

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import StoreRefused, StoreUnavailable
from lccp.store.s3.pool import Pool

CREDENTIALS = ("accessKey", "secretKey")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
IDENTITIES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
"""Variables that a cluster sets in a pod whose ServiceAccount has a role (EKS, ECS)."""

TOKEN_SERVICE = "AWS_ENDPOINT_URL_STS"
_TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
_RETRIES = 3


class MountedCredentials(Provider):
    """Credentials in the files accessKey and secretKey of a folder, reread when they change.

    kubelet replaces a mounted Secret as a whole; both files are read from one version of it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: tuple[object, Credentials] | None = None

    def retrieve(self) -> Credentials:
        try:
            version = self._version()
            if self._read is None or self._read[0] != version:
                self._read = (version, self._credentials())
            return self._read[1]
        except OSError as error:
            raise StoreRefused(
                f"store credentials: {error.filename}: {error.strerror}: "
                f"{self._directory} must contain the files accessKey and secretKey"
            ) from None
        except ValueError:
            raise StoreRefused(
                f"store credentials: accessKey or secretKey in {self._directory} is empty "
                "or not text"
            ) from None

    def _version(self) -> object:
        """Differs after every change of the files."""
        found = [(self._directory / name).stat() for name in CREDENTIALS]
        return [(status.st_ino, status.st_mtime_ns) for status in found]

    def _credentials(self) -> Credentials:
        folder = (self._directory / CREDENTIALS[0]).resolve(strict=True).parent
        access_key, secret_key = ((folder / name).read_text().strip() for name in CREDENTIALS)
        return Credentials(access_key, secret_key)


class TemporaryCredentials(Provider):
    """Keys for the role of the pod's ServiceAccount, or of its node, renewed before they expire.

    The pod's keys come by AWS's variables, as its SDKs read them; the node's by its metadata
    service (IMDSv2). Messages never contain a token.

    Args:
        endpoint: of the service that issues them; None: Amazon's own.
        whose: owner of the keys, for messages.
        remedy: what to check when they are refused.
    """

    def __init__(self, endpoint: str | None, whose: str, remedy: str) -> None:
        retries = urllib3.Retry(
            total=_RETRIES,
            allowed_methods=None,
            status_forcelist=[500, 502, 503, 504],
            backoff_factor=0.2,
        )
        self._provider = IamAwsProvider(
            custom_endpoint=endpoint,
            http_client=Pool(timeout=_TIMEOUT, retries=retries),
        )
        self._whose, self._remedy = whose, remedy

    def retrieve(self) -> Credentials:
        try:
            return self._provider.retrieve()
        except urllib3.exceptions.HTTPError:
            raise StoreUnavailable(
                f"store credentials: the service that gives them for {self._whose} does not answer"
            ) from None
        except (ValueError, KeyError, OSError):
            raise StoreRefused(
                f"store credentials: {self._whose} is refused, or its token can't be read: "
                f"{self._remedy}"
            ) from None


def of_the_pod() -> Provider:
    """Keys for the role of the pod's ServiceAccount."""
    endpoint = os.environ.get(TOKEN_SERVICE)
    remedy = "see the role of its ServiceAccount"
    return TemporaryCredentials(endpoint, "the pod's identity", remedy)


def of_the_node(endpoint: str) -> Provider:
    """Keys for the role of the node, by the metadata service at `endpoint`."""
    remedy = "see the node's instance profile, and the hop limit of its metadata service (2)"
    return TemporaryCredentials(endpoint, "the node's role", remedy)


class LateCredentials(Provider):
    """Credentials that may not exist yet: each request looks for them until they do."""

    def __init__(self, config: StoreConfig) -> None:
        self._config = config
        self._found: Provider | None = None

    def retrieve(self) -> Credentials:
        self._found = self._found or provider_of(self._config)
        return self._found.retrieve()


def provider_of(config: StoreConfig) -> Provider:
    """The provider of credentials; those on this machine are read once. Raises StoreRefused."""
    if config.credentials_directory:
        mounted = MountedCredentials(Path(config.credentials_directory))
        mounted.retrieve()
        return mounted
    if all(os.environ.get(name) for name in KEYS):
        return EnvAWSProvider()
    if any(os.environ.get(name) for name in IDENTITIES):
        return of_the_pod()
    if config.instance_metadata:
        return of_the_node(config.instance_metadata)
    raise StoreRefused(
        f"store {config.url}: has no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "or credentialsDirectory (of a run's pods: checkpoints.secretRef), or give the pod's "
        "ServiceAccount a role"
    )
