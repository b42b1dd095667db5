"""Templates of prompts."""

import pytest

from lccp.probes.settings.prompts import DEFAULT, check_template


@pytest.mark.parametrize("template", [DEFAULT, "{context}{question}", "a {context} b {question} c"])
def test_a_question_comes_after_its_context(template: str) -> None:
    check_template(template)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{context}",
        "{question}{context}",
        "{context}{question}{question}",
        "{context }{question}",
    ],
)
def test_any_other_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="template must hold"):
        check_template(template)
