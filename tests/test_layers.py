"""The one-way street and the sizes, as rules that fail the build.

Sources are parsed, never grepped: a word in a docstring is not an import.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").rglob("*.py"))
DEMO = sorted((ROOT / "data").rglob("*.py"))
LONGEST_FUNCTION = 40
LONGEST_MODULE = 300
LONGEST_PAGE = 40
STREAMLIT_ALLOWED = {f"core/ui/{path.name}" for path in (ROOT / "core" / "ui").glob("*.py")}
DUCKDB_ALLOWED = {"core/ledger/file.py"}
SQL_VERBS = ("select ", "insert ", "with ", "delete ", "update ")
VAGUE_FILES = {"utils", "helpers", "common", "manager", "base", "misc"}
VAGUE_VARIABLES = {"df", "data", "data2", "result"}
TOP_LEVEL = {
    ".ci", ".dockerignore", ".git", ".gitignore", ".streamlit", "CHANGELOG.md", "Dockerfile", "LICENSE", "Makefile",
    "README.md", "app.py", "bench", "core", "data", "docs", "pages", "pyproject.toml", "requirements.in", "requirements.txt",
    "requirements-spark.in", "requirements-spark.txt", "tests",
}  # fmt: skip

# Lower may not import higher. A module's layer is its longest listed prefix; what is not listed may import all.
LAYERS = (
    ("core.ledger", {"core.audits", "core.ui", "core.cli", "core.web", "core.answers", "pages", "data"}),
    ("core.ingest", {"core.audits", "core.ui", "core.cli", "core.web", "core.answers", "pages", "data"}),
    ("core.stats", {"core.ledger", "core.ingest", "core.audits", "core.ui", "core.charts", "pages", "data"}),
    (
        "core.audits",
        {"core.ingest", "core.ledger.store", "core.ui", "core.cli", "core.web", "pages", "data"},
    ),
    ("core.audit", {"core.ingest", "core.ledger", "core.audits", "core.ui", "pages", "data"}),
    ("core.charts", {"core.ingest", "core.ledger", "core.audits", "core.ui", "pages", "data"}),
    ("core.export", {"core.ingest", "core.ledger", "core.ui", "pages", "data"}),
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imported(path: Path, at_run_time_only: bool = False) -> frozenset[str]:
    """Every module named by an import, `from a import b` as both a and a.b."""
    nodes = list(ast.walk(tree(path)))
    if at_run_time_only:
        hidden = {inner for node in nodes if is_type_checking(node) for inner in ast.walk(node)}
        nodes = [node for node in nodes if node not in hidden]
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def uses(names: frozenset[str], package: str) -> bool:
    return any(name == package or name.startswith(package + ".") for name in names)


@cache
def functions(path: Path) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    return tuple(
        node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_no_module_but_ui_brings_streamlit_in() -> None:
    """All of core but core.ui, imported in one subprocess; then one by one to name the culprit."""
    modules = [
        module_of(path) for path in CORE if name_of(path) not in STREAMLIT_ALLOWED and path.stem != "__main__"
    ]
    script = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'streamlit' not in sys.modules, name + ' imports streamlit'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_streamlit_is_imported_in_pages_and_ui_only() -> None:
    guilty = [name_of(path) for path in CORE + DEMO if uses(imported(path), "streamlit")]
    assert set(guilty) <= STREAMLIT_ALLOWED


def test_duckdb_is_imported_where_the_file_is_opened_only() -> None:
    guilty = [
        name_of(path) for path in CORE + PAGES + DEMO if uses(imported(path, at_run_time_only=True), "duckdb")
    ]
    assert set(guilty) == DUCKDB_ALLOWED


@pytest.mark.parametrize(("layer", "forbidden"), LAYERS, ids=[layer for layer, _ in LAYERS])
def test_nothing_points_back(layer: str, forbidden: set[str]) -> None:
    for path in CORE:
        module = module_of(path)
        if module == layer or module.startswith(layer + "."):
            guilty = {name for name in forbidden if uses(imported(path, at_run_time_only=True), name)}
            # core.ledger.current is the process's own notice board: it sits beside the ledger, above the store.
            assert not guilty, f"{name_of(path)} imports {', '.join(sorted(guilty))}"


@pytest.mark.parametrize("path", CORE + DEMO, ids=name_of)
def test_modules_and_functions_are_short_and_explained(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_MODULE, f"{name_of(path)} has {len(lines)} lines, {LONGEST_MODULE} allowed"
    assert ast.get_docstring(tree(path)), f"{name_of(path)} has no docstring"
    assert path.stem not in VAGUE_FILES, f"{name_of(path)}: name it by what it holds"
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        where = f"{name_of(path)}:{function.lineno} {function.name}"
        assert length <= LONGEST_FUNCTION, f"{where} has {length} lines, {LONGEST_FUNCTION} allowed"


@pytest.mark.parametrize("path", CORE + DEMO + PAGES, ids=name_of)
def test_no_variable_has_a_name_that_says_nothing(path: Path) -> None:
    stored = {
        node.id
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert not stored & VAGUE_VARIABLES


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_core_is_annotated(path: Path) -> None:
    for function in functions(path):
        arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        bare = [argument.arg for argument in arguments if argument.annotation is None]
        assert set(bare) <= {"self", "cls"}, f"{name_of(path)}:{function.lineno} {function.name}: {bare}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_pages_are_layout(path: Path) -> None:
    """Classes and caches in a page are made anew on every rerun, or shared by accident between pages."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_PAGE, f"{name_of(path)} has {len(lines)} lines, {LONGEST_PAGE} allowed"
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda), (
            f"{name_of(path)}:{node.lineno}"  # type: ignore[attr-defined]
        )
        assert not (isinstance(node, ast.Attribute) and node.attr.startswith("cache")), name_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not node.value.lstrip().lower().startswith(SQL_VERBS), (
                f"{name_of(path)}: {node.value[:40]!r}"
            )


def test_no_page_can_run_outside_the_frame() -> None:
    """A folder pages/ beside the UI script makes Streamlit run its files directly on a deep link."""
    from streamlit.runtime.pages_manager import PagesManager

    script = ROOT / "pages" / "shell.py"
    assert script.is_file()
    assert not (script.parent / "pages").exists()
    PagesManager(str(script))
    assert PagesManager.uses_pages_directory is False


def test_streamlit_finds_the_app() -> None:
    from streamlit.web.server.app_discovery import discover_asgi_app

    found = discover_asgi_app(ROOT / "app.py")
    assert (found.is_asgi_app, found.app_name) == (True, "app")


def test_nothing_lies_at_the_top_that_does_not_belong_there() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so committed files cannot be told from local ones")
    assert {line.split("/")[0] for line in listed.stdout.splitlines()} <= TOP_LEVEL
