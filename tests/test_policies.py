"""Rules of the house that no linter knows."""

import ast
import importlib.util
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("lccp", "cli", "operator/lccp_operator", "services")
SCRIPTS = ("tools", "benchmarks", "examples")
LINES_MAX = 250
SHORT_LINES = 40
"""A module with fewer, blank ones left out, stands by itself only if several others need it."""
GATHERING = ("__init__", "registry")
"""Modules that gather others of one shape, each of which is a module however short it is."""
FILES_MAX = 12
"""Of a folder, beside its `__init__.py` and `conftest.py`; but for the root."""
MACHINE_PATH = re.compile(r"/(?:root|home|Users|work|opt/dev)/[\w.]")
PRIVATE = re.compile(r"_(?!_|replace$|asdict$|fields$)")
PRIVATE_WORD = re.compile(rf"(?<!\w){PRIVATE.pattern}\w")
OF_LIBRARIES = {
    "test_ways.py: AttentionMaskInterface._global_mapping",
    "test_experts.py: model[1]._is_autoep_layer",
    "pretend_devices.py: Tensor._make_wrapper_subclass",
    "pretend_devices.py: backend_registration._DummyBackendModule",
    "pretend_devices.py: backend_registration._DummyPrivateUse1Hook",
    "pretend_devices.py: backend_registration._setup_privateuseone_for_python_backend",
}
"""Private state that their own interfaces leave out."""
BY_NAME = {"setattr", "getattr", "delattr", "hasattr", "patch", "object"}
"""Calls that reach an attribute by a text: Python's, pytest's monkeypatch and unittest.mock's."""
ADDED = re.compile(r"^```\w+\n# ([\w/.-]+)\n", re.MULTILINE)
"""The path of a file that a page gives whole."""
ADDED_MODULE = re.compile(r"^```python\n# ([\w/.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
NAMED_TEST = re.compile(r"`(test_\w+)`")


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--", *patterns]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).exists()]


PAGES = tracked("docs/contributing/add-*.md")


def modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@dataclass(frozen=True)
class Module:
    """What the rules ask of a module's text."""

    documented: bool
    imported: frozenset[str]
    """Modules that are imported anywhere in it, and names out of them."""
    classes: tuple[tuple[str, frozenset[str]], ...]
    """Its classes, each with its bases."""
    does_something: bool
    """It defines a function that has a body."""


@cache
def parsed(text: str) -> Module:
    """Of a text that several rules ask about, parsed once."""
    tree, functions, imported = ast.parse(text), [], set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(node)
        elif isinstance(node, ast.ImportFrom):
            imported |= {str(node.module), *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Import):
            imported |= {one.name for one in node.names}
    return Module(
        bool(ast.get_docstring(tree)),
        frozenset(imported),
        tuple(
            (node.name, frozenset(map(ast.unparse, node.bases)))
            for node in tree.body
            if isinstance(node, ast.ClassDef)
        ),
        any(len(one.body) > (ast.get_docstring(one) is not None) for one in functions),
    )


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "tools" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = generator().FILES


def test_the_operator_folder_is_not_a_package() -> None:
    """It would shadow Python's own module `operator`."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not list((ROOT / "operator").glob("*.py"))


def test_test_folders_are_not_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATED[name](), "run make generate"


@pytest.mark.parametrize(
    "path", modules(*PACKAGES, *SCRIPTS), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_module_says_what_it_is_for_and_is_not_long(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert parsed(text).documented
    assert text.count("\n") <= LINES_MAX


def test_a_short_module_that_serves_one_other_stands_in_it() -> None:
    """Unless both are too long together, or it is a program, or the other is of another room."""
    paths = modules(*PACKAGES, *SCRIPTS)
    texts = {_dotted(path): path.read_text(encoding="utf-8") for path in paths}
    users: dict[str, set[str]] = {name: set() for name in texts}
    for user, text in texts.items():
        for name in users.keys() & parsed(text).imported:
            users[name].add(user)
    apart = {
        name: user
        for name, (user, *more) in ((name, found) for name, found in users.items() if found)
        if not more and _could_stand_in(name, user, texts)
    }
    assert apart == {}


def _dotted(path: Path) -> str:
    """`lccp.api.run` of `lccp/api/run.py`, whatever folder holds the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "lccp" else parts[1:])


def _could_stand_in(name: str, user: str, texts: dict[str, str]) -> bool:
    text = texts[name]
    return (
        sum(bool(line.strip()) for line in text.splitlines()) < SHORT_LINES
        and text.count("\n") + texts[user].count("\n") <= LINES_MAX
        and name.startswith(user.rpartition(".")[0] + ".")
        and user.split(".")[-1] not in GATHERING
        and '__name__ == "__main__"' not in text
    )


def test_no_two_exceptions_have_one_name() -> None:
    """A traceback names no module."""
    texts = (path.read_text(encoding="utf-8") for path in modules(*PACKAGES))
    classes = [one for text in texts for one in parsed(text).classes]
    raised = {"Exception"}
    for _ in range(3):
        raised |= {name for name, bases in classes if raised & bases}
    names = Counter(name for name, _ in classes if name in raised and name[0] != "_")
    assert {name for name, count in names.items() if count > 1} == set()
    assert len(names) > 10


@pytest.mark.parametrize("page", [None, *PAGES], ids=lambda page: page and page.name)
def test_no_folder_holds_more_files_than_a_reader_surveys(page: Path | None) -> None:
    """Nor with the files that a page says to add."""
    apart = ("__init__.py", "conftest.py")
    added = ADDED.findall(page.read_text(encoding="utf-8")) if page else ()
    files = {*tracked(), *(ROOT / name for name in added)}
    files_of = Counter(path.parent for path in files if path.name not in apart)
    del files_of[ROOT]
    assert {str(folder) for folder, count in files_of.items() if count > FILES_MAX} == set()


@pytest.mark.slow
@pytest.mark.parametrize("page", [None, *PAGES], ids=lambda page: page and page.name)
def test_every_module_that_does_something_has_tests_in_a_file_of_its_name(
    page: Path | None,
) -> None:
    """And so has every one that a page says to add."""
    added = ADDED_MODULE.findall(page.read_text(encoding="utf-8")) if page else ()
    texts = {ROOT / name: text for name, text in added}
    tests = {path for path in texts if path.is_relative_to(ROOT / "tests")}
    texts |= {path: path.read_text(encoding="utf-8") for path in modules(*PACKAGES)}
    missing = [
        str(path.relative_to(ROOT))
        for path, text in texts.items()
        if path not in tests and _does_something(path, text)
        if _tests_of(path) not in tests and not _tests_of(path).exists()
    ]
    assert missing == []


def _does_something(path: Path, text: str) -> bool:
    """It defines a function that has a body; an entry point and a package's head do not count."""
    return path.stem not in ("__init__", "__main__") and parsed(text).does_something


def _tests_of(path: Path) -> Path:
    """`lccp/api/run.py` is tested in `tests/lccp/api/test_run.py`, whatever folder holds it."""
    parts = path.relative_to(ROOT).parts
    package = parts if parts[0] == "lccp" else parts[1:]
    return ROOT.joinpath("tests", *package[:-1], f"test_{package[-1]}")


@pytest.mark.slow
def test_no_test_reads_private_state() -> None:
    paths = [path for path in tracked("tests/**.py") if path != Path(__file__)]
    found = {f"{path.name}: {name}" for path in paths for name in _private(path)}
    assert found == OF_LIBRARIES


def _private(path: Path) -> Iterator[str]:
    """Private state that a module reads of others: an object's own is its `self`'s alone."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if PRIVATE_WORD.search(text) else ():
        match node:
            case ast.Attribute(value, name) if PRIVATE.match(name):
                of = ast.unparse(value)
                if of not in ("self", "cls", "os"):
                    yield f"{of}.{name}"
            case ast.ImportFrom(str(module), names) if module.startswith("lccp"):
                yield from filter(_is_private, (module, *(one.name for one in names)))
            case ast.Import(names):
                ours = (one.name for one in names if one.name.startswith("lccp"))
                yield from filter(_is_private, ours)
            case ast.Call(called, arguments, keywords):
                if getattr(called, "attr", getattr(called, "id", None)) in BY_NAME:
                    given = (*arguments, *(keyword.value for keyword in keywords))
                    texts = (one.value for one in given if isinstance(one, ast.Constant))
                    yield from (t for t in texts if isinstance(t, str) and _is_private(t))


def _is_private(dotted: str) -> bool:
    names = dotted.split(".")
    return all(map(str.isidentifier, names)) and any(map(PRIVATE.match, names))


def test_private_state_counts_as_read_however_it_is_named(tmp_path: Path) -> None:
    module = tmp_path / "test_one.py"
    module.write_text(
        'monkeypatch.setattr("lccp.one._two", 1)\n'
        'monkeypatch.setattr(one, "_three", 1)\n'
        'getattr(one, "_four")\n'
        'patch(target="lccp.one._five")\n'
        "from lccp.one import _six\n"
        "import lccp._seven\n"
        "from torch.utils._python_dispatch import TorchDispatchMode\n"
        "class Eight:\n"
        "    def _eight(self): return self._eight\n"
        "one._eight\n"
        'monkeypatch.setattr(one, "__version__", "2")\n'
        'monkeypatch.setattr("lccp.one.nine", "_nine.")\n'
    )
    told = ["lccp.one._two", "_three", "_four", "lccp.one._five", "_six", "lccp._seven"]
    assert sorted(_private(module)) == sorted([*told, "one._eight"])


def test_no_file_names_a_path_of_someones_machine() -> None:
    texts = tracked(
        "*.py", "*.md", "*.yaml", "*.toml", "*.lock", "*.sh", "Makefile", "tools", ".ci"
    )
    own = Path(__file__)
    named = [p for p in texts if p != own and MACHINE_PATH.search(p.read_text(encoding="utf-8"))]
    assert named == []


def test_every_link_of_a_page_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked("*.md")
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_path_and_test_that_a_page_names_is_there() -> None:
    roots = {path.relative_to(ROOT).parts[0] for path in tracked()}
    tests = {name for path in tracked("tests/**.py") for name in _tests_in(path)}
    missing = []
    for page in tracked("*.md"):
        text = BLOCK.sub("", page.read_text(encoding="utf-8"))
        paths = [name for name in NAMED.findall(text) if name.split("/")[0] in roots]
        missing += [f"{page.name}: {name}" for name in paths if not (ROOT / name).exists()]
        missing += [
            f"{page.name}: {name}" for name in NAMED_TEST.findall(text) if name not in tests
        ]
    assert missing == []


def _tests_in(path: Path) -> Iterator[str]:
    yield from re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.M)


def test_every_page_of_the_docs_is_found_from_the_readme() -> None:
    found, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        found.add(page)
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            linked = (page.parent / target).resolve()
            pages = linked.rglob("*.md") if linked.is_dir() else [linked]
            ahead += [one for one in pages if one.suffix == ".md" and one not in {*found, *ahead}]
    missing = set(tracked("docs/*.md")) - found
    assert {str(page.relative_to(ROOT)) for page in missing} == set()


def test_nothing_of_the_store_is_unpickled() -> None:
    """Trainer and evaluator read safetensors, JSON, and npz without pickles."""
    pickling = re.compile(r"\bpickle\b.*\bload|weights_only\s*=\s*False|allow_pickle\s*=\s*True")
    found = [p for p in modules(*PACKAGES) if pickling.search(p.read_text(encoding="utf-8"))]
    assert found == []


def test_the_tests_of_a_file_are_dealt_to_one_worker(request: pytest.FixtureRequest) -> None:
    name = request.node.nodeid
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert name.endswith(f"@{__file__}"), "pytest-xdist does not know the groups of conftest.py"
    else:
        assert "@" not in name


def test_the_licence_is_whole_and_the_lock_files_pin_everything() -> None:
    assert "END OF TERMS AND CONDITIONS" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()[1:]
        assert lines
        assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []


def test_the_demo_installs_a_part_of_what_development_does() -> None:
    demo, dev = (
        set((ROOT / name).read_text(encoding="utf-8").splitlines()[1:])
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert demo < dev
