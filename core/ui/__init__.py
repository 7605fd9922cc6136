"""What every page is made of; the only package of core that knows Streamlit.

`show(audit)` draws a whole audit page, top to bottom: read it first. `pages/shell.py` calls `access.frame` (nobody without a
role passes) and `scope_controls` before any page; a page takes its `scope`, gets an `answer` (kept until the data version of
`held` moves) and draws it with the pieces here: `header`, `verdict` (its module), `figures` (`cards`), `evidence`, `listing`
(`tables`), `method`, `share` (`sharing`), `footer`. Pages that differ have a module: `board` (overview), `first_steps` (empty
ledger, demo), `deck`, `reviews` with `review_copies`, `timeline`. What is shown: `core.view`.

Text that came with telemetry is never Markdown: only st.text, st.code, st.dataframe and `verdict`'s escaped HTML show it. Only
answers are cached, by plain values: Streamlit hashes a frame by its printed form, so two frames can share a key.
"""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import plotly.graph_objects as go
import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import demo, downloads, links, view
from core.amounts import count
from core.audit import Finding, Scope
from core.charts import noted, span_waterfall
from core.coverage import MENUS, SUMMARY, Have, have
from core.export import alt_text
from core.ledger.current import get_store
from core.made import BREAKS, resolved
from core.measured import evidence_of, reports_progress
from core.runs import MOST_SPANS, run_table, span_rows
from core.settings import read_settings
from core.ui import access, held, waiting
from core.ui.cards import PICTURE, cards, download, draw
from core.ui.sharing import share as share
from core.ui.tables import table as table
from core.ui.verdict import counts, kept_verdict, place_verdict

_PIN, _NOTES = "pinned_as_of", "link_notes"
_BOUND: dict[str, Any] = {"bind": "query-params"}
ZONE = read_settings().time_zone  # of instants; days are UTC days everywhere


def ask(sql: str, **parameters: object) -> pl.DataFrame:
    """The ledger's answer, kept until the data version moves; pass no frames, only plain values."""
    store = get_store()
    return _asked(sql, parameters, held.version(store), held.changes(store), id(store))


@st.cache_data(max_entries=500, show_spinner=False)
def _asked(sql: str, parameters: dict[str, object], version: int, changes: int, store: int) -> pl.DataFrame:
    return get_store().ask(sql, **parameters)


def answer(audit: ModuleType, within: Scope) -> view.Answer:
    """An audit's measure, finding and figures, kept until the data version moves."""
    store, within = get_store(), held.looked_at(audit, resolved(audit, within))
    kept = partial(_answered, audit.__name__, within, held.version(store), held.changes(store), id(store))
    make = partial(view.answer, audit, ask, within)
    return waiting.made_once(kept, make) if reports_progress(audit, within) else kept()


@st.cache_resource(max_entries=60, show_spinner="Reading the ledger")  # pickled figures take 40 ms a page
def _answered(audit: str, within: Scope, version: int, changes: int, store: int, _make: Any = None) -> view.Answer:  # fmt: skip
    return _make() if _make else view.answer(importlib.import_module(audit), ask, within)


def scope_controls() -> None:
    """Period, regions, services and models in the sidebar, bound to the address; complaints about the address."""
    version = held.version(get_store())
    pinned, complaint = _pinned(version)
    period = links.default_period(view.newest_day(ask, pinned or version))
    menus, bounds, complaints = ask(MENUS), (links.FIRST_DAY, links.LAST_DAY), [complaint]
    with st.sidebar:
        for key, day in zip((links.FROM, links.TO), period, strict=True):
            complaints.append(links.check_day(key, st.query_params.get(key)))
            st.date_input(f"{key.capitalize()}, UTC day", day, *bounds, key, format="YYYY-MM-DD", **_BOUND)
        complaints.append(links.check_order(*(st.session_state[key] for key in (links.FROM, links.TO))))
        for key in (links.REGION, links.SERVICE, links.MODEL):
            names = sorted(menus[key].drop_nulls().unique())
            complaints.append(links.check_names(key, st.query_params.get_all(key), names))
            st.multiselect(f"{key.capitalize()}s", names, key=key, placeholder=f"All {key}s", **_BOUND)
        if pinned:
            st.caption(f"Pinned to data version {pinned}; the newest is {version}.")
            st.button("Show the newest data", on_click=unpin, width="stretch")
        st.caption(view.age_text(ask(SUMMARY).row(0, named=True), version, dt.datetime.now(dt.UTC)))
    if told := [text for text in complaints if text]:  # Streamlit drops a bad value at once: this outlives it
        st.session_state[_NOTES] = (scope(), told)


def _pinned(newest: int) -> tuple[int | None, str]:
    """The version this session is pinned to. Page switches drop hand-made parameters, so it is mirrored back."""
    mirrored = st.session_state.get(_PIN)
    given = st.query_params.get(links.AS_OF, str(mirrored) if mirrored else None)
    pinned, complaint = view.pinned_version(ask, given, newest)
    st.session_state[_PIN] = pinned
    if pinned is None:
        unpin()
    elif st.query_params.get(links.AS_OF) != str(pinned):
        st.query_params[links.AS_OF] = str(pinned)
    return pinned, complaint


def pinned() -> bool:
    """Whether this session keeps to a data version, as a link asked."""
    return st.session_state.get(_PIN) is not None


def unpin() -> None:
    """Show the newest data version."""
    st.session_state.pop(_PIN, None)
    st.query_params.pop(links.AS_OF, None)


def scope(audit: ModuleType | None = None) -> Scope:
    """The scope in force; outside the frame (a page run alone) the defaults."""
    as_of = st.session_state.get(_PIN) or held.version(get_store())
    state = {str(key): value for key, value in st.session_state.items()}
    plain = view.scope_of(state, ask, as_of, audit)._replace(currency=get_store().currency)
    return resolved(audit, plain, st.query_params.get(f"{view.name_of(audit)}_{BREAKS}"))


def header(title: str, question: str) -> DeltaGenerator:
    """Whoever may not see the page stops here; then title, question, demo badge, notes; returns the place for Share."""
    access.require()
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(gap=None, width="content"):
            st.title(title, anchor=False, width="content")
            st.caption(question)
            if said := demo.note(ask):
                st.badge(said, color="violet")
        slot = st.container(width="content")
    for label, text in view.notes(ask, scope(), st.session_state.get(_NOTES)):
        note(label, text)
    return slot


def note(label: str, text: str) -> None:
    """A sentence the reader must not miss; it may quote hostile text."""
    line = st.container(border=True, horizontal=True, vertical_alignment="center")
    line.badge(label, color="orange")
    line.text(text)


def link(within: Scope, audit: ModuleType | None = None, trace: str | None = None) -> str:
    """The absolute link to this page with everything that is set."""
    return links.share_link(st.context.url or "http://localhost:8501/", within, view.name_of(audit), trace)


def show(audit: ModuleType) -> None:
    """A page for an audit. One argument, for ever: a page that differs calls the pieces."""
    slot = header(audit.TITLE, view.question_of(audit))
    choices(audit)
    within = scope(audit)
    measure, finding, drawn = judged(audit, within)
    counts(view.counts_of(audit, measure))
    needs(have(ask, audit.NEEDS, within))
    figures(audit, drawn, finding, within)
    for title, rows in view.tables_of(audit, measure).items():
        listing(title, rows, f"{view.name_of(audit)}_{title.lower().replace(' ', '_')}", "")
    trace = evidence(audit, within) if hasattr(audit, "evidence") else None
    method(audit, measure, finding)
    share(slot, within, audit, trace)
    footer(within, audit)


def judged(audit: ModuleType, within: Scope) -> view.Answer:
    """The answer, its verdict drawn: at once where the board keeps it, since making the pictures may take seconds."""
    place, known = kept_verdict(audit, within)
    made = answer(audit, within)
    if made.finding._replace(audit=view.name_of(audit)) != known:
        place_verdict(place, audit, within, made.finding)
    return made


def choices(audit: ModuleType) -> None:
    """The audit's own settings and the picture format, bound to the address under the audit's name."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    for one in view.choices_of(audit):
        key, index = one.key(view.name_of(audit)), one.options.index(one.default)
        if complaint := links.check_choice(one, st.query_params.get_all(key)):
            note("Link", complaint)
        row.selectbox(one.label, one.options, index, view.option_text, key, one.help or None, **_BOUND)
    row.selectbox("Pictures as", ("PNG", "SVG"), key=PICTURE, width=120, **_BOUND)


def needs(found: Sequence[Have]) -> None:
    """Rows, coverage and newest day of every column the audit reads."""
    with st.expander(view.needs_text(found), expanded=view.blocked(found)):
        table(view.need_rows(found), "Columns this audit reads")
        for text in view.supply_texts(found):
            st.text(text)


def figures(audit: ModuleType, drawn: Mapping[str, go.Figure], finding: Finding, within: Scope) -> None:
    """A card for every figure."""
    cards(audit, drawn, finding, within, link(within, audit), demo.note(ask))


def evidence(audit: ModuleType, within: Scope) -> str | None:
    """The rows behind the verdict, and the run that is open: selected here or named by the link."""
    rows = evidence_of(audit, ask, within)
    with st.container(border=True, gap="small"):
        st.markdown("**The rows behind it**")
        st.caption("Select a row to open its run." if rows.height else "No rows in this scope.")
        key, picked = f"{view.name_of(audit)}_rows", list[int]()
        if rows.height:
            picked = table(rows, "Rows behind the verdict", key)
            file = downloads.rows_download(f"trueup_{key}_v{within.as_of}", rows, demo.note(ask))
            download(file, "rows_csv")
    if picked and not rows["trace_id"][picked[0]]:
        note("Run", "This row was recorded without a trace.")
    elif picked:  # a selection cannot be bound: it is mirrored in a parameter of its own
        st.query_params[links.TRACE] = rows["trace_id"][picked[0]]
    trace, complaint = links.read_trace(st.query_params.get(links.TRACE))
    if complaint:
        note("Link", complaint)
    elif trace:
        run(audit.span_tree(ask, trace, within.as_of), trace)
    return trace


def run(spans: pl.DataFrame, trace: str) -> None:
    """A run's span tree with attempts marked, and the same spans as a table."""
    with st.container(border=True, gap="small"):
        st.markdown("**The run**")
        st.code(trace, language=None)
        if spans.is_empty():
            return note("Link", "This run is not in the ledger at this data version.")
        st.caption(f"{count(spans.height)} spans; at most {MOST_SPANS} are drawn. Striped bars failed.")
        figure = noted(span_waterfall(span_rows(spans)), demo.note(ask))
        draw(figure, f"run_{trace}", alt_text("Spans of the run", figure))
        table(run_table(spans), "Spans of the run")


def listing(title: str, rows: pl.DataFrame, name: str, none: str) -> None:
    """A titled table with its download as trueup_<name>.csv, or the sentence `none` where it has no rows."""
    with st.container(border=True, gap="small"):
        st.markdown(f"**{title}**")
        table(rows, title) if rows.height else st.text(none)
        if rows.height:
            download(downloads.rows_download(f"trueup_{name}", rows, demo.note(ask)), f"{name}_csv")


def method(audit: ModuleType, measure: object, finding: Finding) -> None:
    """How the answer was made: docstring, sample size, limit, seed, and every SQL text."""
    with st.expander("Method"):
        st.text(view.method_text(audit, measure, finding))
        for name, sql in view.sql_texts(audit).items():
            st.caption(name)
            st.code(sql.strip(), language="sql")


def footer(within: Scope, audit: ModuleType | None = None) -> None:
    """What these numbers are of, in one line that can be quoted."""
    st.text(view.footer_text(ask, within, link(within, audit), ZONE))
