"""What the images are built from: pinned, without what they must not hold, not as root."""

from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lock import IMAGES as EXTRAS
from lock import requirements

ROOT = Path(__file__).parents[2]
IMAGES = ("operator", "trainer", "evaluator")


def pins(name: str) -> set[str]:
    return set((ROOT / name).read_text(encoding="utf-8").splitlines()[1:])


def packages(image: str) -> set[str]:
    return {canonicalize_name(pin.split("==")[0]) for pin in pins(f"docker/{image}.lock")}


def instructions(image: str) -> list[str]:
    """The instructions of a Dockerfile, each on one line."""
    text = (ROOT / "docker" / f"{image}.Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line]


def stages(image: str) -> list[str]:
    """The text before the first stage, and that of each stage."""
    return "\n".join(instructions(image)).split("FROM ")


def final_stage(image: str) -> list[str]:
    return stages(image)[-1].splitlines()


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_a_part_of_what_development_does(image: str) -> None:
    assert pins(f"docker/{image}.lock") < pins("requirements-dev.lock")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_what_its_requirements_need(image: str) -> None:
    """And what these need here, in the set of development."""
    there, wanted = packages(image), [Requirement(one) for one in requirements(EXTRAS[image])]
    seen: set[str] = set()
    while wanted:
        one = wanted.pop()
        if one.name in seen or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        assert canonicalize_name(one.name) in there
        seen.add(one.name)
        wanted += map(Requirement, requires(one.name) or [])


def test_an_image_holds_only_what_its_part_needs() -> None:
    assert {"kopf", "kubernetes", "prometheus-client"} <= packages("operator")
    assert not {"torch", "pyarrow", "setuptools", "plotly", "wandb"} & packages("operator")
    assert {"torch", "deepspeed", "transformers"} <= packages("trainer")
    assert {"torch", "transformers"} <= packages("evaluator")
    assert not {"deepspeed", "ninja", "kopf", "kubernetes"} & packages("evaluator")


@pytest.mark.parametrize("image", IMAGES)
def test_the_base_can_be_chosen(image: str) -> None:
    assert "ARG BASE=docker.io/library/debian:bookworm-slim" in instructions(image)
    bases = [line.split()[1] for line in instructions(image) if line.startswith("FROM ")]
    assert bases == ["scratch", "${BASE}", "python", "tools", "python"]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_not_root_and_gets_its_own_code_last(image: str) -> None:
    lines = final_stage(image)
    assert "USER 65532:65532" in lines
    changes = [line for line in lines if line.startswith(("COPY", "RUN", "ADD"))]
    assert changes[-1] == "COPY --from=own /own/opt/lccp /opt/lccp"


@pytest.mark.parametrize("image", IMAGES)
def test_no_build_tool_is_installed_in_an_image(image: str) -> None:
    python, final = stages(image)[2], stages(image)[-1]
    assert "apt-get" not in final
    assert python.count("apt-get install") == 1
    assert "--no-install-recommends python3 " in python
    assert all(
        "--mount=type=bind,from=tools" in line for line in final.splitlines() if "pip" in line
    )


def test_the_images_differ_in_what_they_install_alone() -> None:
    """The stages before the last are one text, so that builders share their layers."""
    assert len({tuple(stages(image)[:-1]) for image in IMAGES}) == 1
    torch = [stages(image)[-1].partition("COPY ")[0] for image in ("trainer", "evaluator")]
    assert torch[0] == torch[1]


@pytest.mark.parametrize("image", ["trainer", "evaluator"])
def test_an_image_holds_the_model_and_the_documents_of_the_demo(image: str) -> None:
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for part in ("model", "data"):
        folder = f"examples/tiny/{part}"
        assert f"COPY {folder} /opt/lccp/{folder}" in final_stage(image)
        assert f"!{folder}" in let_through
        assert (ROOT / folder).is_dir()
