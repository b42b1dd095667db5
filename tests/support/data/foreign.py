"""The output of another trainer: a directory with a config and weights, without torch."""

import json
from pathlib import Path


def a_foreign_checkpoint(path: Path, value: int = 0, state: int | None = None) -> Path:
    """One tensor of 8 bytes in safetensors; `state` is the step that trainer_state.json tells."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text("{}")
    tensor = {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}
    header = json.dumps({"a": tensor}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes([value] * 8)
    (path / "model.safetensors").write_bytes(data)
    if state is not None:
        (path / "trainer_state.json").write_text(json.dumps({"global_step": state}))
    return path
