"""A demo ledger with a payload in every text a stranger or a colleague can write, and what would show that one worked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import duckdb
from playwright.sync_api import Page

from core import decks, made, reviews
from core.audit import Finding, Scope
from core.decks import Slide
from core.state import State

PAYLOADS = (
    "<img src=//evil.example/a onerror=alert(1)>", "<script>alert(2)</script>", "[zqlink](javascript:alert(3))",
    "![zqpic](//evil.example/b.png)", "**zqbold** _zqem_ ~~zqdel~~", "$\\zqtex{x}$ $$\\frac{1}{2}$$",
    ":red[zqred] :fire: :material/skull:", "<style>*{display:none}</style>", "<a href='https://evil.example'>zqa</a>",
    "&#x3c;img src=//evil.example/c&#x3e; &lt;b&gt;zqent&lt;/b&gt;", "<b>zqb</b><br>c <sup>zqsup</sup>",
    "%{x} %{customdata} {{7*7}}",
    "\u202egnitpircs\u2066", "<svg onload=alert(4)>", '"><iframe src=//evil.example></iframe>', "https://evil.example/zqbare",
    "x zq@evil.example", "```zqfence```", "# zqhead", "- zqitem",
)  # fmt: skip
"""Each would do or look like something, were it read as HTML, Markdown, LaTeX, a template or Plotly's own tags."""

CLOSED = {
    "table_name", "format", "sha256", "door", "kind", "rule", "price_version", "trace_id", "span_id",
    "parent_span_id", "dialect", "status_code", "error_class", "span_role", "content_hash", "arguments_hash",
    "enduser_hash", "temporality", "source", "subject_hash", "actor_hash", "line_key", "batch_key", "source_format",
    "measure", "charge_category", "charge_class", "token_type", "billing_currency", "verdict", "text_hash",
    "input_hash", "target_hash", "dataset_hash", "prompt_hash", "status", "gen_ai_operation_name", "operation",
    "grade", "how", "scope_key", "audit", "finding", "unit", "language", "removed_rule", "outcome_key", "what",
    "twin_of", "chosen_by", "row_key", "event_id", "response_key", "probe_id", "run_id", "sample_id", "ended_by",
    "reason_kind", "line_kind", "http_request_method", "tool",
}  # fmt: skip
"""Columns that readers fill from words of their own, hashes and keys: no text of a stranger stands in them."""
DRAWN, TAGS = ("cloud_region", "region", "region_id"), ("<b>zqb</b>", '<a href="//e.x">zqa</a>')
"""Names that axes and legends hold, cut to 28 letters, and the tags that Plotly reads in them: no longer than that."""
SPARED = {
    ("outcomes", "name"): "and hash(outcome_key) % 5 = 0",
    ("spans", "mcp_method_name"): "and hash(span_id) % 5 = 0",
}
"""Audits ask for outcomes and for calls of MCP by these names: most keep them, so that there is something to show."""
OPEN_SOURCES = {"imports", "files", "eval_items"}
"""Tables whose `source` is a file's name, not who judged."""


def spoil(path: Path) -> dict[str, int]:
    """Write a payload behind every text of every open column, the same behind the same text so that rows still join.

    Returns how many columns of each table were written.
    """
    with duckdb.connect(str(path)) as ledger:
        return _spoiled(ledger)


def _spoiled(ledger: duckdb.DuckDBPyConnection) -> dict[str, int]:
    columns = ledger.execute(
        "select table_name, column_name from information_schema.columns where data_type = 'VARCHAR' "
        "and table_name in (select table_name from information_schema.tables where table_type = 'BASE TABLE') order by 1, 2"
    ).fetchall()
    values = ", ".join("'" + text.replace("'", "''") + "'" for text in PAYLOADS)
    found: dict[str, int] = {}
    for table, column in columns:
        if column in CLOSED and not (column == "source" and table in OPEN_SOURCES):
            continue
        text = f'"{column}" || \' \' || ([{values}])[(hash("{column}") % {len(PAYLOADS)} + 1)::bigint]'
        if column in DRAWN:
            text = f"substr(md5(\"{column}\"), 1, 3) || (['{TAGS[0]}', '{TAGS[1]}'])[(hash(\"{column}\") % 2 + 1)::bigint]"
        ledger.execute(
            f'update {table} set "{column}" = {text} where "{column}" is not null {SPARED.get((table, column), "")}'
        )
        found[table] = found.get(table, 0) + 1
    return found


def write_state(folder: Path, scope: Scope) -> None:
    """A deck, saved views in a review with notes, and a break calendar, every text of them a payload."""
    state = State(path=folder / "state.sqlite")
    try:
        name = "d " + " ".join(PAYLOADS)[:60]
        for at, text in enumerate(PAYLOADS):
            decks.add(name, Slide("retry_ledger", "retry_money_bridge", scope, text, text), state)
            wrong = Finding("retry_ledger", "watch", text, text, 0.1, 0.0, 0.2, "share", 40, f"{text}.", text)
            if at % 5 == 0:
                reviews.save_view(state, f"v {text}"[:80], text[:40], scope, wrong, "m", False, text)
        decks.set_template(decks.ids_by_name(state)[name], f"{PAYLOADS[0]}.pptx", None, state)
        number = reviews.make_review(state, f"r {PAYLOADS[0]} {PAYLOADS[4]}"[:80], PAYLOADS[2][:40])
        review = reviews.review_by(state, number)
        assert review is not None
        reviews.order_views(state, review, [one.view_id for one in reviews.saved_views(state)])
        reviews.add_note(state, "review", number, PAYLOADS[2][:40], "\n\n".join(PAYLOADS))
        day = scope.start
        rows = [
            {"accept": True, "region": None, "start": day, "end": day + dt.timedelta(days=1), "name": text[:60],
             "effect_share": None, "known_from": None}
            for text in PAYLOADS
        ]  # fmt: skip
        _, problem = made.save(scope, rows, state)
        assert not problem, problem
    finally:
        state.close()


WORKED = """() => {
    const bad = [], all = [...document.querySelectorAll('*')];
    const evil = text => /evil\\.example|^\\s*javascript:|^data:text/i.test(text || '');
    for (const one of all) {
        for (const attribute of one.attributes) {
            const name = attribute.name.toLowerCase();
            if (/^on[a-z]+$/.test(name)) bad.push(`${one.tagName} ${name}`);
            if (/^(href|xlink:href|src|srcset|action|formaction|data|poster|background)$/.test(name) && evil(attribute.value))
                bad.push(`${one.tagName} ${name}=${attribute.value}`);
        }
        const said = (one.textContent || '').trim(), tag = one.tagName.toLowerCase();
        if (/^(b|strong|em|i|del|s|u|sup|sub|a|h[1-6]|li|code|pre|tspan)$/.test(tag) && /^zq[a-z]+$/.test(said))
            bad.push(`${tag}: ${said}`);
        if (tag === 'iframe' && evil(one.src)) bad.push('iframe');
        if (tag === 'style' && one.textContent.includes('*{display:none}')) bad.push('style');
        if (one.classList.contains('katex') || tag === 'mjx-container') bad.push('katex');
        if (one.dataset && one.dataset.testid === 'stIconMaterial' && said === 'skull') bad.push('icon');
        if (one.classList.contains('stMarkdownColoredText')) bad.push('coloured');
    }
    if (document.body.innerText.includes('\\u{1F525}')) bad.push('emoji');
    return bad;
}"""
"""What is on the page that only a payload can have put there."""


def worked(page: Page) -> Sequence[str]:
    """Elements and attributes that a payload made; empty when all of them are text."""
    found: list[str] = page.evaluate(WORKED)
    return found


def shown_payloads(page: Page) -> int:
    """How many payloads stand on the page letter by letter."""
    text: str = page.evaluate("() => document.body.innerText + ' ' + document.body.textContent")
    return sum(payload[:40] in text for payload in (*PAYLOADS, *TAGS))
