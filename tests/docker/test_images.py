"""What the images are built from: pinned, without what they must not hold, not as root."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ("operator", "trainer", "evaluator")


def pins(name: str) -> set[str]:
    return set((ROOT / name).read_text(encoding="utf-8").splitlines()[1:])


def packages(image: str) -> set[str]:
    return {pin.split("==")[0].lower() for pin in pins(f"docker/{image}.lock")}


def instructions(image: str) -> list[str]:
    """The instructions of a Dockerfile, each on one line."""
    text = (ROOT / "docker" / f"{image}.Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line]


def final_stage(image: str) -> list[str]:
    lines = instructions(image)
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    return lines[last:]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_a_part_of_what_development_does(image: str) -> None:
    assert pins(f"docker/{image}.lock") < pins("requirements-dev.lock")


def test_an_image_holds_only_what_its_part_needs() -> None:
    assert {"kopf", "kubernetes", "prometheus_client"} <= packages("operator")
    assert not {"torch", "scipy", "pyarrow", "setuptools", "plotly"} & packages("operator")
    assert {"torch", "deepspeed", "transformers"} <= packages("trainer")
    assert {"torch", "transformers"} <= packages("evaluator")
    assert not {"deepspeed", "ninja", "kopf", "kubernetes"} & packages("evaluator")


@pytest.mark.parametrize("image", IMAGES)
def test_the_base_can_be_chosen(image: str) -> None:
    assert "ARG BASE=docker.io/library/debian:bookworm-slim" in instructions(image)
    bases = [line.split()[1] for line in instructions(image) if line.startswith("FROM ")]
    assert bases == ["scratch", "${BASE}", "python", "python"]


@pytest.mark.parametrize("image", IMAGES)
def test_the_final_stage_only_copies_and_is_not_root(image: str) -> None:
    lines = final_stage(image)
    assert not [line for line in lines if line.startswith(("RUN", "ADD"))]
    assert "USER 65532:65532" in lines
    assert [line for line in lines if line.startswith("COPY")] == [
        "COPY --from=build /opt/lccp /opt/lccp"
    ]


def test_the_images_differ_in_what_they_install_alone() -> None:
    """The stage with Python is one text, so that builders share its layer."""
    stages = {image: "\n".join(instructions(image)).split("FROM ")[2] for image in IMAGES}
    assert len(set(stages.values())) == 1
