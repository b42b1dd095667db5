"""The reference pages of the manifest, of the store and of the exit codes, from the types."""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Iterator

from lccp.api.causes import MEANINGS, Cause, Meaning
from lccp.api.exits import ExitCode
from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.fine_tuning import FineTuning
from lccp.api.objects.inputs import Inputs
from lccp.api.objects.journal import Control, Journal, StopMarker
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import (
    EvaluationFailure,
    EvaluationProgress,
    EvaluationReport,
    EvaluationSource,
)
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat, RouterLoad, StepRecord
from lccp.api.objects.verdict import Verdict
from lccp.api.run import LCCPRun
from lccp.contract.base import Contract
from lccp.contract.cel import BOUNDS, KIND, VALIDATIONS
from lccp.contract.changes import CHANGE
from lccp.contract.quantities import LENGTH, TOKENS
from lccp.contract.schema import Field, Schema, fields, structural

GENERATED = "This page is generated from the types in `lccp/api` by `make generate`."
RUN_HEAD = f"""# LCCPRun

The one manifest of LCCP, `lccp.io/v1alpha1`: the same for a cluster and for `lccp run` on a laptop.
{GENERATED}

Kinds of values:

- *length*: {LENGTH.sentence.removeprefix("must be ")}.
- *tokens*: {TOKENS.sentence.removeprefix("must be ")}.
- *decimal*: a number in quotes, such as `"1.2e-5"`; Kubernetes has no floats in a spec.
- *quantity*: an amount of a resource as Kubernetes writes it, such as `4`, `"500m"`, `64Gi`.
- *free object*: passed through unchanged.

The column *changes* gives the class of a field. *identity*: determines what the run's numbers mean.
The API server refuses a change, since it would be another run: give it another name, or, as long as
the store holds none of its checkpoints and states, delete it and apply the change. *next attempt*:
how the run is carried out. A change takes effect at the next attempt of the gang, or try of an
evaluation, and a failed run resumes with it. *live*: a change takes effect at once. Bounds of a
text or list apply to its length.
"""
STORE_HEAD = f"""# Objects of the store

A run's objects are stored below `<store>/<namespace>/<run>/`, beside marks of installations,
`.installation-….json`. They are the facts; status and metrics follow from them. {GENERATED}

`<tokens>` has 15 digits. `<writer>` is `a<attempt>-<8 hexadecimal digits>`, so two attempts never
write to the same place. An older `schemaVersion` is upgraded if possible, a newer one is refused.

Some files are not JSON objects: `checkpoints/<tokens>/<writer>/…` (a Hugging Face directory),
`state/<tokens>/<writer>/…` (DeepSpeed state), `samples/<probe>/<digest>.jsonl.gz` (the frozen
samples; `samples/<probe>.json`: which of them count; `samples/files.json`: digests of their files),
and beside each report `<probe>.npz` (arrays for figures) and `<probe>.samples.npz` (values per
sample); until the report exists, `unfinished-….npz` (results). A checkpoint's fine-tuning uses
`control/`, `training/`, `state/` below `sft/<tokens>/`; its model is `sft/<tokens>/<writer>/…` if
`sft/<tokens>/manifest.json` exists. A branch that starts at `<tokens>` writes `training/`,
`state/`, `checkpoints/` below `branches/<tokens>/`; requests to it are in the run's `control/`.
"""
OBJECTS: tuple[tuple[str, str, type[Contract]], ...] = (
    ("run.json", "operator, once", RunIdentity),
    ("journal.json", "operator, if unchanged since read", Journal),
    ("inputs.json", "trainer, if something is fetched; if unchanged since read", Inputs),
    ("control/<attempt>.json", "operator", Control),
    ("control/stop.json", "operator, for an attached run", StopMarker),
    ("training/<writer>/heartbeat.json", "rank 0, every few seconds", Heartbeat),
    ("training/<writer>/history.jsonl", "rank 0, one line per logged step", StepRecord),
    ("training/<writer>/routers.json", "rank 0, beside the history", RouterLoad),
    ("training/<writer>/end.json", "rank 0 or the launcher, at the end", End),
    ("checkpoints/<tokens>/manifest.json", "trainer, once, last", Manifest),
    ("state/<tokens>/manifest.json", "trainer, once, last", Manifest),
    ("sft/<tokens>/sft.json", "rank 0 of a fine-tuning, once", FineTuning),
    ("evaluations/<tokens>/<suite>/report.json", "evaluator, once, last", EvaluationReport),
    ("evaluations/<tokens>/<suite>/progress.json", "evaluator", EvaluationProgress),
    ("evaluations/<tokens>/<suite>/failure.json", "evaluator", EvaluationFailure),
    ("evaluations/<tokens>/<suite>/source.json", "`lccp evaluate`", EvaluationSource),
    ("conditions.json", "operator", RunConditions),
    ("analysis/verdict.json", "operator", Verdict),
)
EXITS_HEAD = f"""# Exit codes

Exit codes of `lccp-train` and `lccp-evaluate`; the code alone determines what happens next.
{GENERATED}
"""
CAUSES_HEAD = """## Causes

Why an attempt or an evaluation ended, in order of precedence: the first one explains the failures
that followed in its peers. The cluster reports causes without an exit code.
"""


def render_reference() -> str:
    """`docs/reference/lccprun.md`."""
    schema = structural(LCCPRun)
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    name = f"## metadata\n\n{_refusals(schema, deep=False)}"
    changes, no_changes = ("changes",), ()
    sections = [*_sections("spec", spec, changes), *_sections("status", status, no_changes)]
    return "\n".join([RUN_HEAD, name, *sections])


def render_store() -> str:
    """`docs/reference/store.md`."""
    return "\n".join([STORE_HEAD, *(_object(*entry) for entry in OBJECTS)])


def render_exits() -> str:
    """`docs/reference/exit-codes.md`."""
    rows = [(f"{code.value}", code.name, meaning) for code, meaning in _meanings()]
    codes = _table(("code", "name", "meaning"), rows)
    heads = ("cause", "exit code", "counted", "what happened", "once it is final")
    causes = _table(heads, (_cause(*entry) for entry in MEANINGS.items()))
    return f"{EXITS_HEAD}\n{codes}\n\n{CAUSES_HEAD}\n{causes}\n"


def _sections(path: str, schema: Schema, more: tuple[str, ...]) -> Iterator[str]:
    """A section for the object at `path`, then one for each object directly below it."""
    objects = {n: value for n, value in schema["properties"].items() if "properties" in value}
    plain = {n: value for n, value in schema["properties"].items() if n not in objects}
    yield _section(path, {**schema, "properties": plain}, more)
    for name, value in objects.items():
        yield _section(f"{path}.{name}", value, more)


def _section(path: str, schema: Schema, more: tuple[str, ...]) -> str:
    rows = [_row(field, bool(more)) for field in fields(schema, "", schema.get(CHANGE))]
    heads = ("field", "type", "default", "bounds", *more, "meaning")
    table = f"{_table(heads, rows)}\n" if rows else ""
    return f"## {path}\n\n{schema['description']}\n\n{_refusals(schema)}{table}"


def _refusals(schema: Schema, deep: bool = True) -> str:
    messages = _messages(schema) if deep else _own_messages(schema)
    listed = "".join(f"- {message}\n" for message in dict.fromkeys(messages))
    return f"Refused with these messages:\n\n{listed}\n" if listed else ""


def _own_messages(schema: Schema) -> Iterator[str]:
    yield from (rule["message"] for rule in schema.get(VALIDATIONS, ()))


def _messages(schema: Schema) -> Iterator[str]:
    """The messages of the rules over several fields, at `schema` and below."""
    if KIND not in schema:
        yield from _own_messages(schema)
    for value in schema.get("properties", {}).values():
        yield from _messages(value)


def _row(field: Field, with_changes: bool) -> tuple[str, ...]:
    changes = (f"{field.change}: {field.how}" if field.how else f"{field.change}",)
    return (
        f"`{field.path[1:]}`",
        _kind(field.schema),
        _default(field),
        _bounds(field.schema),
        *(changes if with_changes else ()),
        field.schema["description"],
    )


def _kind(schema: Schema) -> str:
    if KIND in schema:
        return str(schema[KIND])
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return "free object"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "items" in schema:
        return f"list of {_kind(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {_kind(schema['additionalProperties'])}"
    return "time" if schema.get("format") == "date-time" else str(schema.get("type", "any"))


def _default(field: Field) -> str:
    if field.required:
        return "required"
    default = field.schema.get("default")
    if default is None or isinstance(default, dict):
        return ""
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def _bounds(schema: Schema) -> str:
    if BOUNDS in schema:
        return str(schema[BOUNDS])
    if KIND in schema or "enum" in schema:
        return ""
    for least, most in (
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
    ):
        if least in schema or most in schema:
            return _between(schema.get(least), schema.get(most))
    return _between(None, schema.get("maxProperties"))


def _between(least: int | None, most: int | None) -> str:
    if most is None:
        return "" if least is None else f">= {least:,}"
    return f"<= {most:,}" if least is None else f"{least:,} to {most:,}"


def _object(key: str, writer: str, model: type[Contract]) -> str:
    rows = [
        (*_row(field, False)[:2], field.schema["description"])
        for field in fields(structural(model))
    ]
    summary = re.sub("^`.*?`: ", "", inspect.cleandoc(model.__doc__ or "").splitlines()[0])
    table = _table(("field", "type", "meaning"), rows)
    return f"## `{key}`\n\n{summary[0].upper()}{summary[1:]} Written by {writer}.\n\n{table}\n"


def _meanings() -> Iterator[tuple[ExitCode, str]]:
    """Each exit code with the docstring below it."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(ExitCode))).body
    assert isinstance(body, ast.ClassDef)
    for code, text in zip(body.body[1::2], body.body[2::2], strict=True):
        match code, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(ast.Constant(str(meaning))):
                yield ExitCode[name], meaning


def _cause(cause: Cause, meaning: Meaning) -> tuple[str, ...]:
    code = "" if meaning.exit_code is None else str(meaning.exit_code.value)
    counted = "yes" if meaning.counted else "no"
    return (cause.value, code, counted, meaning.sentence, meaning.remedy)


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    heads = list(heads)
    lines = [
        heads,
        ["---"] * len(heads),
        *([cell.replace("|", "\\|") for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
