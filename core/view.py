"""What a page says, worked out before Streamlit draws it: scope from widget state, the audit's answer, sentences and rows."""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import polars as pl
from polars import selectors

from core import coverage, demo, links, projects
from core.amounts import count, head_and_tail, interval, number, share
from core.audit import Ask, Choice, Count, Fact, Finding, Progress, Scope, TooLittle
from core.charts.palette import noted
from core.measured import measured
from core.settings import base_path
from core.verdict_html import Cell

Colour = Literal["green", "orange", "red", "gray"]
STATUS_COLOURS: Mapping[str, Colour] = {
    "holds": "green",
    "watch": "orange",
    "broken": "red",
    "cannot tell": "gray",
}
"""cannot tell is grey: it is never drawn as if it were good news."""

_BY_UNIT = (("_usd", "$%.4f"), ("_ms", "localized"), ("_share", "percent"))
_NAMES_A_ROW = re.compile(r"(^|[_ ])(id|import|file|number|row|code|answer|epoch|seed)$")
"""Whole numbers that stand for something and count nothing: 1,234 would be read as an amount."""

PAGES = Path(__file__).resolve().parents[1] / "pages"


class Answer(NamedTuple):
    """Everything an audit says about a scope."""

    measure: object
    finding: Finding
    figures: dict[str, go.Figure]
    """Empty when there are too few rows to draw."""


def answer(audit: ModuleType, ask: Ask, scope: Scope, progress: Progress | None = None) -> Answer:
    """Load, measure, judge and draw; `progress` is told by audits that report it."""
    found, said = measured(audit, ask, scope, progress), demo.note(ask)
    if said not in found.drawn:
        drawn = {} if isinstance(found.measure, TooLittle) else audit.figures(found.frames, found.measure)
        marked = {name: noted(figure, said) for name, figure in drawn.items()}
        found.drawn[said] = Answer(found.measure, audit.judge(found.measure), marked)
    made: Answer = found.drawn[said]
    return made


def name_of(audit: ModuleType | None) -> str:
    """An audit's file name, which is its page, its address and the beginning of its exports."""
    return audit.__name__.rpartition(".")[2] if audit else ""


def page_of(audit: ModuleType) -> Path:
    """The page's script, in whichever section's folder it lies; a missing page is a mistake worth a loud stop."""
    return next(PAGES.glob(f"*/{name_of(audit)}.py"))


def origin_of(url: str | None) -> str:
    """Scheme, host, port, base path and project of a page's address, for links and recipes that point back here.

    >>> origin_of("http://localhost:8501/data?x=1"), origin_of(None)
    ('http://localhost:8501', 'http://localhost:8501')
    """
    parts = urlsplit(url or "http://localhost:8501/")
    return f"{parts.scheme}://{parts.netloc}{base_path()}{projects.prefix(projects.current())}"


def question_of(audit: ModuleType) -> str:
    """The first line of its docstring."""
    return (audit.__doc__ or "").strip().partition("\n")[0]


def choices_of(audit: ModuleType | None) -> tuple[Choice, ...]:
    """The settings an audit's page offers."""
    return tuple(getattr(audit, "CHOICES", ()))


def pinned_version(ask: Ask, text: str | None, newest: int) -> tuple[int | None, str]:
    """The data version a link pins, moved to the one pages showed at that import; with a complaint when it moved."""
    asked, complaint = links.read_as_of(text, newest)
    if asked is None:
        return None, complaint
    shown_then = ask(coverage.VERSION_AT, as_of=asked).item()
    if shown_then in (asked, None):
        return asked, complaint
    return int(
        shown_then
    ), f"No page was ever shown as of import {asked}. Showing {shown_then}, the nearest one."


def notes(ask: Ask, scope: Scope, told: tuple[Scope, Sequence[str]] | None) -> list[tuple[str, str]]:
    """What a reader must know before the numbers: what the link could not get, and what retention has deleted."""
    found = [("Link", text) for text in told[1]] if told and told[0] == scope else []
    gone = ask(coverage.DELETED_BEFORE).item()
    if isinstance(gone, dt.date) and scope.start < gone:
        found.append(
            ("Deleted", f"Telemetry before {gone} was deleted by retention: these numbers leave it out.")
        )
    erased = ask(coverage.ERASED_BEFORE).item()
    if isinstance(erased, dt.date) and scope.start < erased:
        found.append(
            ("Deleted", f"Rows from before {erased} were erased on request: these numbers leave them out.")
        )
    emptied = ask(coverage.EMPTIED_AFTER, as_of=scope.as_of).item()
    if emptied is not None:
        found.append(("Deleted", f"The demo data this link shows was deleted at data version {emptied}."))
    return found


def newest_day(ask: Ask, as_of: int) -> dt.date:
    """The last day with data at a data version; today for an empty ledger."""
    newest = ask(coverage.NEWEST_DAY, as_of=as_of).item()
    return newest if isinstance(newest, dt.date) else dt.datetime.now(dt.UTC).date()


def scope_of(widgets: Mapping[str, Any], ask: Ask, as_of: int, audit: ModuleType | None = None) -> Scope:
    """The scope the widgets hold; what is not set, or ends before it begins, takes its default."""
    start, end = widgets.get(links.FROM), widgets.get(links.TO)
    if start is None or end is None or links.check_order(start, end):
        start, end = links.default_period(newest_day(ask, as_of))
    regions, services, models = (
        tuple(widgets.get(key) or ()) for key in (links.REGION, links.SERVICE, links.MODEL)
    )
    chosen = [
        (one.name, widgets.get(one.key(name_of(audit))) or one.default, one.default)
        for one in choices_of(audit)
    ]
    kept = tuple((name, value) for name, value, default in chosen if value != default)
    return Scope(start, end, regions, services, models, as_of=as_of, choices=kept)


def age_text(held: Mapping[str, Any], version: int, now: dt.datetime) -> str:
    """Data version and age of the newest import; `held` is the row of coverage.SUMMARY, whose times are UTC without a zone."""
    committed_at = held["committed_at"]
    if not isinstance(committed_at, dt.datetime):
        return "No data yet."
    minutes = max(0, int((now.replace(tzinfo=None) - committed_at).total_seconds() // 60))
    age = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    return (
        f"Data version {version}; newest import {age if minutes < 2880 else f'{minutes // 1440} days'} ago."
    )


def footer_text(ask: Ask, scope: Scope, link: str, zone: str = "UTC") -> str:
    """What a page's numbers are of, in one line that can be quoted."""
    committed_at = ask(coverage.COMMITTED_AT, as_of=scope.as_of).item()
    when = ""
    if committed_at:
        local = committed_at.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone))
        when = f" of {local:%Y-%m-%d %H:%M} {zone}"
    said = f"{said}. As" if (said := demo.note(ask)) else "As"
    return f"{said} of import {scope.as_of}{when}; {links.scope_text(scope)}. {link}"


def cells(finding: Finding) -> list[Cell]:
    """Label, number and small print of the pair, the gap with its 95 % interval, and n."""
    known = finding.low is not None and finding.high is not None
    span = interval(finding.low, finding.high, finding.unit).removesuffix(" points")
    told = (finding.bounds, span) if len(f"{finding.bounds} {span}") <= 24 else (span, finding.bounds)
    bounds = (
        " ".join(told) if known else "no interval"
    )  # what is too long is cut at its end: never the numbers
    return [
        Cell("Reported", *head_and_tail(finding.reported)),
        Cell("Supported", *head_and_tail(finding.supported)),
        Cell("Gap", number(finding.gap, finding.unit), bounds),
        Cell("n", count(finding.n)),
    ]


def needs_text(found: Sequence[coverage.Have]) -> str:
    """The need/have strip in one line."""
    filled = sum(bool(one.known_share) for one in found)
    return f"Data needed and found: {filled} of {len(found)} columns have values"


def blocked(found: Sequence[coverage.Have]) -> bool:
    """Whether a column the audit cannot do without has no value at all."""
    return any(one.need.required and not one.known_share for one in found)


def supply_texts(found: Sequence[coverage.Have]) -> list[str]:
    """How to supply what has no value in some row; whole sentences, which a table would cut."""
    lacking = [one.need for one in found if one.known_share != 1]
    return [f"{need.column}: {need.how}" for need in lacking]


def need_rows(found: Sequence[coverage.Have]) -> pl.DataFrame:
    """The need/have strip as rows."""
    rows = [
        {
            "column": one.need.column,
            "has a value": share(one.known_share) if one.row_count else "no rows",
            "rows": one.row_count,
            "newest": one.newest,
            "needed": "required" if one.need.required else "optional",
            "for": one.need.why,
        }
        for one in found
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def number_formats(rows: pl.DataFrame) -> dict[str, str]:
    """Column formats: by the unit a name ends with, thousands grouped in whole numbers that count something."""
    forms = {name: form for name in rows.columns for ending, form in _BY_UNIT if name.endswith(ending)}
    whole = rows.select(selectors.integer()).columns
    return dict.fromkeys((name for name in whole if not _NAMES_A_ROW.search(name)), "localized") | forms


def ids_last(columns: Sequence[str]) -> list[str]:
    """Column order for reading: what happened before which row it was."""
    return sorted(columns, key=lambda column: column.endswith("_id") and column != "import_id")


def shown(rows: pl.DataFrame, zone: str = "UTC") -> pl.DataFrame:
    """Rows as a table shows them: ids last, money as numbers, instants (UTC in the ledger) in a time zone."""
    local = selectors.datetime(time_zone=None).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    money, tenths = (
        selectors.decimal().cast(pl.Float64),
        (selectors.float() & selectors.ends_with("_ms")).round(1),
    )
    return rows.select(ids_last(rows.columns)).with_columns(money, tenths, local)


def counts_of(audit: ModuleType, measure: object) -> Sequence[Count]:
    """The counts an audit puts side by side; none when it has too little or compares no counts."""
    told = hasattr(audit, "counts") and not isinstance(measure, TooLittle)
    return audit.counts(measure) if told else ()


def tables_of(audit: ModuleType, measure: object) -> dict[str, pl.DataFrame]:
    """An audit's own tables, and what it measured beside its verdict: about, what, value, interval, n, note."""
    if isinstance(measure, TooLittle):
        return {}
    rows: list[Fact] = audit.facts(measure) if hasattr(audit, "facts") else []
    columns = ("about", "what", "value", "95% interval", "n", "note")
    schema = {name: pl.Int64 if name == "n" else pl.String for name in columns}
    measured = {"Also measured": pl.DataFrame(rows, schema=schema, orient="row")} if rows else {}
    return (audit.tables(measure) if hasattr(audit, "tables") else {}) | measured


def option_text(option: str) -> str:
    """A setting's option as its menu shows it; an empty one lets the audit choose."""
    return option or "automatic"


def caption_of(audit: ModuleType, figure: str) -> str:
    """How to read one of an audit's figures, in one sentence of the audit's own."""
    return str(getattr(audit, "CAPTIONS", {}).get(figure, ""))


def titled(name: str) -> str:
    """An export name as a heading.

    >>> titled("mcp_cold_start")
    'MCP cold start'
    """
    return re.sub(
        r"\b(mcp|slo|tps)\b", lambda word: word[0].upper(), name.replace("_", " ").capitalize(), flags=re.I
    )


def method_text(audit: ModuleType, measure: object, finding: Finding) -> str:
    """The docstring, then sample size, limit, seed and how intervals were made, as far as they are stated."""
    facts = [
        f"n = {count(finding.n)}",
        f"limit {number(getattr(measure, 'limit', audit.LIMIT), finding.unit)}",
    ]
    facts += [f"seed {audit.SEED}"] if hasattr(audit, "SEED") else []
    facts += [str(measure.method)] if hasattr(measure, "method") else []
    return f"{inspect.cleandoc(audit.__doc__ or '')}\n\n{'; '.join(facts)}"


def sql_texts(audit: ModuleType) -> dict[str, str]:
    """Every question the audit asks the ledger, by name."""
    return dict(audit.SQL) if isinstance(audit.SQL, Mapping) else {"rows": audit.SQL}
