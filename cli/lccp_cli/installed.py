"""Which distributions are installed, without importing them."""

from importlib.metadata import PackageNotFoundError, version


def version_of(distribution: str) -> str | None:
    """Its version, or None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
