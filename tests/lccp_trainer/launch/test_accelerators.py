import os
from pathlib import Path

import pytest

from lccp_trainer.launch.accelerators import detected


@pytest.mark.slow
def test_what_this_machine_has_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 570.1\necho 570.1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = detected()
    assert found is not None
    assert (found.count, found.driver) == (torch.cuda.device_count(), "570.1")
    tool.write_text("#!/bin/sh\nexit 9\n")
    broken = detected()
    assert broken is not None
    assert broken.driver is None
