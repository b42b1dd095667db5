"""kubectl, on the cluster of KUBECONFIG."""

import subprocess


def kubectl(*words: str, stdin: str | None = None, timeout: float = 120) -> str:
    """Output of kubectl on the cluster of KUBECONFIG. Fails the test on any error."""
    done = subprocess.run(
        ("kubectl", *words), input=stdin, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
    return done.stdout
