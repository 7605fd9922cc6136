"""What every audit promises, checked on each: its text, its empty answer, and that it is a function of the rows."""

from __future__ import annotations

import datetime as dt
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from core.audit import Finding, Need, Scope, TooLittle
from core.audits import every_audit
from core.ledger.store import Store
from core.verdict_html import allowed
from tests.audits.retry_world import DAY, charge, send, worked_scenario

SCOPE = Scope(DAY, DAY + dt.timedelta(days=6))
STATUSES = {"holds", "watch", "broken", "cannot tell"}
AUDITS = every_audit()


def _name(audit: ModuleType) -> str:
    return audit.__name__.rpartition(".")[2]


@pytest.fixture(params=AUDITS, ids=_name)
def audit(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


@pytest.fixture(scope="module")
def empty() -> Iterator[Store]:
    store = Store.open(":memory:")
    yield store
    store.close()


@pytest.fixture(scope="module")
def filled() -> Iterator[Store]:
    """The worked scenario, and what `fill(store)` of an audit's own tests adds where that is not enough for it."""
    store = Store.open(":memory:")
    send(store, **worked_scenario(), cost_lines=[charge("k", "0.05", requests=5)])
    for one in AUDITS:
        fill = getattr(importlib.import_module(f"tests.audits.test_{_name(one)}"), "fill", None)
        if fill is not None:
            fill(store)
    yield store
    store.close()


def _shuffled(frames: dict[str, pl.DataFrame], seed: int) -> dict[str, pl.DataFrame]:
    return {name: rows.sample(fraction=1, shuffle=True, seed=seed) for name, rows in frames.items()}


def test_a_gap_is_drawn_inside_its_limits_when_the_verdict_holds_and_outside_when_broken(
    audit: ModuleType, filled: Store
) -> None:
    """The card's picture and the badge above it are one statement; `watch` may have other reasons too."""
    within = allowed(audit, SCOPE)
    finding = audit.judge(audit.measure(audit.load(filled.ask, SCOPE), SCOPE))
    if within is None or finding.low is None or finding.high is None:
        return
    inside = within[0] <= finding.low and finding.high <= within[1]
    outside = finding.low > within[1] or finding.high < within[0]
    assert {"holds": inside, "broken": outside}.get(finding.status, True), (finding, within)


def test_there_are_audits() -> None:
    assert "retry_ledger" in [_name(found) for found in AUDITS]
    assert len({found.TITLE for found in AUDITS}) == len(AUDITS)


def test_the_text_has_a_question_and_a_method(audit: ModuleType) -> None:
    text = inspect.getdoc(audit) or ""
    assert text.partition("\n")[0].endswith("?")
    for word in ("How: ", "Assumes: ", "Source: "):
        assert f"\n{word}" in text


def test_the_contract_is_complete(audit: ModuleType) -> None:
    for name in ("TITLE", "SECTION", "REPORTED", "SUPPORTED"):
        assert isinstance(getattr(audit, name), str)
    assert audit.NEEDS
    assert all(isinstance(need, Need) for need in audit.NEEDS)
    assert isinstance(audit.LIMIT, float)
    assert audit.SQL
    for name in ("load", "measure", "judge", "figures"):
        assert callable(getattr(audit, name))


def test_the_limit_can_be_moved_and_starts_at_the_audits_own(audit: ModuleType) -> None:
    (limit,) = [choice for choice in audit.CHOICES if choice.name == "limit"]
    assert (float(limit.default), SCOPE.limit(audit.LIMIT)) == (audit.LIMIT, audit.LIMIT)
    assert SCOPE._replace(choices=(("limit", limit.options[0]),)).limit(audit.LIMIT) == float(
        limit.options[0]
    )


def test_every_needed_column_exists(audit: ModuleType, empty: Store) -> None:
    known = empty.ask("select table_name || '.' || column_name as name from information_schema.columns")
    assert {need.column for need in audit.NEEDS} <= set(known["name"].to_list())


def test_an_empty_ledger_cannot_tell_and_names_what_is_missing(audit: ModuleType, empty: Store) -> None:
    measure = audit.measure(audit.load(empty.ask, SCOPE), SCOPE)
    assert isinstance(measure, TooLittle)
    finding: Finding = audit.judge(measure)
    assert (finding.status, finding.n, finding.gap) == ("cannot tell", 0, None)
    assert finding.missing


def test_the_default_scope_sees_the_newest_rows(audit: ModuleType, filled: Store) -> None:
    assert not isinstance(audit.measure(audit.load(filled.ask, SCOPE), SCOPE), TooLittle)


def test_twice_is_the_same_and_the_order_of_rows_is_nothing(audit: ModuleType, filled: Store) -> None:
    frames = audit.load(filled.ask, SCOPE)
    measure = audit.measure(frames, SCOPE)
    assert audit.measure(audit.load(filled.ask, SCOPE), SCOPE) == measure
    for seed in (1, 2, 3):
        assert audit.measure(_shuffled(frames, seed), SCOPE) == measure
    assert audit.judge(measure) == audit.judge(measure)


def test_the_finding_is_ready_to_show(audit: ModuleType, filled: Store) -> None:
    finding: Finding = audit.judge(audit.measure(audit.load(filled.ask, SCOPE), SCOPE))
    assert finding.status in STATUSES
    assert finding.sentence.endswith(".")
    assert finding.status != "cannot tell" or finding.missing
    if finding.gap is not None and finding.low is not None and finding.high is not None:
        assert finding.low <= finding.gap <= finding.high


def test_the_figures_are_not_empty(audit: ModuleType, filled: Store) -> None:
    frames = audit.load(filled.ask, SCOPE)
    drawn = audit.figures(frames, audit.measure(frames, SCOPE))
    assert drawn
    for name, figure in drawn.items():
        assert name.replace("_", "").isalnum()
        assert len(figure.data) > 0


@pytest.mark.parametrize("audit", every_audit(), ids=lambda audit: audit.__name__.rpartition(".")[2])
def test_captions_name_figures_that_the_audit_can_draw(audit: ModuleType) -> None:
    """A caption under a name that no figure has would never be seen."""
    written = "".join(
        path.read_text()
        for path in Path(str(audit.__file__)).parent.glob(f"{audit.__name__.rpartition('.')[2]}*.py")
    )
    for name in getattr(audit, "CAPTIONS", {}):
        assert written.count(f'"{name}"') >= 2, name
