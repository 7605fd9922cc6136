"""SQL injection: values travel as $parameters only, proved on the sources, on every audit's questions and on the routes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import polars as pl
import pytest
from starlette.testclient import TestClient

from core import answers, findings
from core.audit import Scope
from core.audits import every_audit
from core.coverage import have
from core.imports import ListedArrival, imports_of
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.store import Store
from core.web.api import FRAME_FORMATS
from core.web.process import Process
from tests.audits.retry_world import DAY, charge, send, worked_scenario
from tests.test_scenario import steps_as_spans
from tests.web.test_server import serving

ROOT = Path(__file__).parents[2]
INJECTIONS = (
    "'", "''", '"', "x' or '1'='1", "x' or 1=1 --", "'; drop table spans; --",
    "x'); delete from imports; --", "x' union select 1 --",
        "eu' and (select count(*) from read_text('/etc/passwd')) > 0 and '1'='1", "$as_of", "$1", "?", ":since", "%", "_", "x\\",
    "/* */", "{0}", "%s", "$$;drop table spans;$$", "; attach '/tmp/x.db'", "x\u02bc or 1=1",
)  # fmt: skip
TABLES = ("imports", "spans", "calls", "attempts", "files", "quarantine", "cost_lines")
BUILT = {
    "core/coverage.py:_count_question": "columns an audit needs that the schema has",
    "core/coverage.py:table_counts": "tables of the schema",
    "core/ledger/copy.py:contents": "tables and columns of the schema",
    "core/ledger/copy.py:copy_ledger": "tables of the schema",
    "core/ledger/derive.py:_close_rows": "a table out of three that are written there",
    "core/ledger/empty.py:_delete": "tables of the schema",
    "core/ledger/erase.py:_delete": "tables and columns of the schema",
    "core/ledger/erase.py:_forget": "tables of its own",
    "core/ledger/erase.py:_name_them": "tables of its own; the name of the person is a parameter",
    "core/ledger/erase.py:_redact": "tables and columns of the schema; the name of the person is a parameter",
    "core/ledger/erase.py:erase": "tables and columns of the schema",
    "core/ledger/file.py:insert": "a table of a batch, compared with the schema before, or one of derived rows",
    "core/ledger/lake.py:_table": "names of the schema, and the operator's path in quotes",
    "core/ledger/portable.py:_hidden_order": "no SQL: a sentence",
    "core/ledger/retain.py:delete_before": "tables that are written there",
    "core/ledger/rollups.py:rebuild": "tables that are written there",
    "core/ledger/undo.py:_check": "as many question marks as there are numbers",
    "core/ledger/write.py:_check_columns": "a table of a batch",
}
"""Functions that build SQL, and of what: names of our own, because names cannot be parameters. No value of anybody's."""
VERBS = (
    "select ",
    "insert ",
    "delete ",
    "update ",
    "drop ",
    "alter ",
    "attach ",
    "copy ",
    "with ",
    "describe ",
    "where ",
    "order by ",
)

MARKS = (" from ", "set ", " into ", " table", "describe ", "where ", "order by ")


def built_sql(path: Path) -> Iterator[str]:
    """The functions of a module that put a value into a text with SQL in it, in whatever way Python has for it."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            map(_builds, ast.walk(function))
        ):
            yield f"{path.relative_to(ROOT).as_posix()}:{function.name}"


def _builds(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values) and _is_sql(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        return _is_sql(node.left) or _is_sql(node.right)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("format", "replace")
    ):
        return _is_sql(node.func.value)
    return False


def _is_sql(node: ast.AST) -> bool:
    """Whether a text of the expression begins a statement or a clause: ours are in small letters, sentences are not."""
    texts = [_text(inner).lstrip() for inner in ast.walk(node)]
    return any(text.startswith(VERBS) and any(mark in text for mark in MARKS) for text in texts)


def _text(node: ast.AST) -> str:
    """A text as it stands there, with x for what is put into it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_sql_is_built_by_a_closed_list_of_functions_and_of_our_own_names() -> None:
    found = {
        one
        for folder in ("core", "pages")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for one in built_sql(path)
    }
    assert found == set(BUILT)


class Heard:
    """Every text and every value an audit gives to a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.texts: list[str] = []
        self.heard: list[str] = []

    def __call__(self, sql: str, **parameters: object) -> pl.DataFrame:
        self.texts.append(sql)
        self.heard += map(str, parameters.values())
        return self.store.ask(sql, **parameters)


@pytest.fixture(scope="module")
def filled() -> Iterator[Store]:
    store = Store.open(":memory:")
    send(store, **worked_scenario(), cost_lines=[charge("k", "0.05", requests=5)])
    yield store
    store.close()


def rows_in(store: Store) -> dict[str, int]:
    return {table: int(store.ask(f"select count(*) from {table}").item()) for table in TABLES}


def questions(audit: ModuleType, store: Store, scope: Scope) -> Heard:
    """All an audit's page asks."""
    heard = Heard(store)
    audit.load(heard, scope)
    have(heard, audit.NEEDS, scope)
    if hasattr(audit, "evidence"):
        audit.evidence(heard, scope)
        audit.span_tree(heard, scope.regions[0] if scope.regions else "0" * 32, scope.as_of)
    return heard


@pytest.mark.parametrize("audit", every_audit(), ids=lambda audit: audit.__name__.rpartition(".")[2])
def test_no_value_of_a_scope_changes_the_text_of_a_question(audit: ModuleType, filled: Store) -> None:
    """The texts are those of a harmless scope; the names are among the parameters."""
    before, version = rows_in(filled), filled.version()
    harmless, hostile = (
        Scope(DAY, DAY, names, names, names, as_of=version, currency=names[0])
        for names in (("nobody",), INJECTIONS)
    )
    asked, told = questions(audit, filled, hostile), questions(audit, filled, harmless)
    assert asked.texts == told.texts
    assert all(text in "".join(asked.heard) for text in INJECTIONS)
    assert rows_in(filled) == before


def test_names_of_files_and_audits_are_values_too(filled: Store) -> None:
    before = rows_in(filled)
    for text in INJECTIONS:
        heard = Heard(filled)
        assert imports_of(heard, ListedArrival(text, 0, 1, 9, "live", None, 0, 0)) == []
        assert all(text not in sql or text in "?_%'\"" for sql in heard.texts)
        with pytest.raises(answers.UnknownAudit):
            answers.chosen_audits(text)
        findings.standard_scope(filled.ask, filled.version(), text)
    assert rows_in(filled) == before


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Process]]:
    with serving(tmp_path_factory.mktemp("sql")) as (client, process):
        process.ledger().submit(decode_traces(steps_as_spans(), "application/x-protobuf", ReadOptions()))
        process.ledger().derive()
        yield client, process


ADDRESSES = (
    "/api/findings", "/api/attempts", "/api/bridge", "/api/imports", "/api/health", "/api/openapi.json", "/healthz", "/readyz",
    "/api/frames/retry_ledger/x",
)  # fmt: skip
NAMES, OTHERS = (
    ("region", "service", "model"),
    ("start", "end", "as_of", "audit", "fresh", "choice", "format"),
)


def test_no_parameter_of_any_address_reaches_sql_as_text(served: tuple[TestClient, Process]) -> None:
    """Refused by name, or a name that nothing has: never more rows, never a fault, never a change."""
    client, process = served
    before = rows_in(process.ledger())
    assert _rows(client.get("/api/attempts").json())
    for text in INJECTIONS:
        for name in NAMES:
            answer = client.get(f"/api/attempts?{urlencode({name: text})}")
            assert (answer.status_code, _rows(answer.json())) == (200, []), (name, text)
        every = urlencode(dict.fromkeys(NAMES, text))
        assert client.get(f"/api/bridge?{every}").status_code == 200
        for name in OTHERS:
            answer = client.get(f"/api/attempts?{urlencode({name: text})}")
            assert answer.status_code == 400, (name, text, answer.text)
    for address in ADDRESSES:
        for name in OTHERS:
            answer = client.get(f"{address}?{urlencode({name: INJECTIONS[3]})}")
            assert answer.status_code in ((200,) if address in ("/healthz", "/readyz") else (400, 404)), (
                address,
                name,
            )
    assert rows_in(process.ledger()) == before


def _rows(body: Any) -> list[Any]:
    """Rows that a call made: findings and bridges have one for whatever they are asked."""
    return [row for row in body.get("rows", ()) if "trace_id" in row]


def test_no_path_and_no_name_reaches_sql_as_text(served: tuple[TestClient, Process]) -> None:
    client, process = served
    before = rows_in(process.ledger())
    for text in INJECTIONS:
        for form in FRAME_FORMATS:
            assert client.get(f"/api/frames/{text}/{text}?format={form}").status_code in (400, 404)
        sent = client.post(
            f"/api/ingest?{urlencode({'name': text})}",
            content=b"a,b\n1,2\n",
            headers={"content-type": "application/octet-stream"},
        )
        assert sent.status_code in (400, 422), text
        for query in ({"import": text}, {"file": text}, {"import": "1", "reason": text, "file": text}):
            undone = client.post(
                f"/api/undo?{urlencode(query)}", headers={"content-type": "application/octet-stream"}
            )
            assert undone.status_code in (400, 422), text
    after = rows_in(process.ledger())
    assert after["files"] >= before.pop("files")
    assert {table: after[table] for table in before} == before
