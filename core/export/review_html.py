"""A review as one HTML file that needs no network and runs no script.

Figures are SVG, drawn without a browser (core.export.still). Plotly's own script would be 4.8 MB in each file and must be
allowed to run; this file forbids all scripts, images and connections by its own policy, and its style by digest.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from core import markdown
from core.export import alt_text
from core.export.shapes import svg
from core.export.still import still
from core.review_document import (
    Document,
    Drawn,
    Section,
    change_text,
    figure_rows,
    scope_line,
    table_rows,
    verdict_rows,
)
from core.reviews import Note

MOST_ROWS = 300
"""A table's rows beyond it are counted, not listed: the page's own CSV has all."""
DEMO = "Demo data: nothing here happened."
AS_TOLD_TODAY = "Figures and tables below show it as it is told today."
_COLOURED = ("holds", "watch", "broken")
"""Statuses with a style of their own below; any other badge is grey."""
STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 Inter, system-ui, sans-serif; color: #0F172A; background: #FFFFFF; margin: 0 auto; padding: 24px;
  max-width: 860px; overflow-wrap: anywhere; }
h1 { font-size: 26px; margin: 8px 0; } h2 { font-size: 20px; margin: 4px 0; } h3 { font-size: 16px; margin: 20px 0 4px; }
section { border-top: 2px solid #E2E8F0; margin-top: 32px; padding-top: 16px; }
.small, figcaption, caption { color: #55627A; font-size: 13px; text-align: left; }
.demo { position: sticky; top: 0; background: #5B21B6; color: #FFFFFF; font-weight: 700; padding: 10px 14px; border-radius: 8px;
  z-index: 1; }
.badge { border-radius: 6px; padding: 1px 8px; font-weight: 600; background: #E2E8F0; color: #334155; }
.holds { background: #D1FAE5; color: #065F46; } .watch { background: #FEF0C7; color: #7A2E0E; }
.broken { background: #FFE2D1; color: #8A2C0D; }
.warn { border-left: 4px solid #B54708; padding: 6px 12px; background: #FFFAEB; }
.note { border: 1px solid #E2E8F0; border-radius: 8px; padding: 8px 14px; margin: 8px 0; }
table { border-collapse: collapse; width: 100%; font-size: 13px; margin: 8px 0; }
th, td { overflow-wrap: break-word; border-bottom: 1px solid #E2E8F0; text-align: left; padding: 4px 8px; vertical-align: top; }
figure { margin: 12px 0; } svg { width: 100%; height: auto; font-family: Inter, system-ui, sans-serif; }
code { background: #F5F7FA; padding: 1px 4px; border-radius: 4px; }
pre { white-space: pre-wrap; background: #F5F7FA; padding: 10px; border-radius: 8px; font-size: 12.5px; }
a { color: #1D4ED8; } .wide { overflow-x: auto; }
@media print { .demo { position: static; } details > * { display: block; } }
"""


def policy(page: str) -> str:
    """The content security policy that lets a page of this module show, and nothing else: its one style by digest."""
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def review_html(made: Document) -> str:
    """The whole page."""
    prefix = "[Demo data] " if made.demo else ""
    style = f"<style>{STYLE}</style>"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(style))}">',
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(prefix + made.review.name)}</title>{style}</head><body>",
        f'<p class="demo" role="note">{DEMO}</p>' if made.demo else "",
        f"<h1>{escape(made.review.name)}</h1>",
        f'<p class="small">Incident review by {escape(made.review.author)}, begun {made.review.at:%Y-%m-%d %H:%M} UTC. '
        f"This copy was made {made.made_at:%Y-%m-%d %H:%M} UTC; “now” is import {made.as_of}. {_link(made.link)}</p>",
        _notes(made.notes),
        *(_section(one, made) for one in made.sections),
        "</body></html>",
    ]
    return "".join(parts)


def _section(section: Section, made: Document) -> str:
    saved, then, now = section.saved, section.saved.finding, section.compared.now
    demo = '<span class="badge">Demo data</span> ' if made.demo else ""
    coloured = then.status if then.status in _COLOURED else ""
    parts = [
        f"<section><h2>{escape(saved.name)}</h2>",
        f'<p class="small">{demo}{escape(section.title)}. {escape(section.question)}<br>{escape(scope_line(saved))}. '
        f"Saved {saved.at:%Y-%m-%d %H:%M} UTC by {escape(saved.author)}. {_link(section.link)}</p>",
        f'<p><span class="badge {coloured}">{escape(then.status)}</span> {escape(then.sentence)}</p>',
        f"<p>Missing: {escape(then.missing)}</p>" if then.missing else "",
        _table("Then and now", ("", "then", "now"), verdict_rows(section)),
        f"<p>Now: {escape(now.sentence)}</p>" if now is not None and now.sentence != then.sentence else "",
        f"<p>{escape(change_text(section, made.as_of))}</p>",
        _moved(section),
        _notes(section.notes),
        *(_figure(one) for one in section.figures),
        *(_details(title, *table_rows(rows)) for title, rows in section.tables.items()),
        _method(section),
        "</section>",
    ]
    return "".join(parts)


def _moved(section: Section) -> str:
    if not section.compared.past_changes:
        return ""
    told = "; ".join(f"{one.what}: {one.then} → {one.now}" for one in section.compared.past_changes)
    return f'<p class="warn">{escape(section.compared.moved)} {escape(told)}. {AS_TOLD_TODAY}</p>'


def _method(section: Section) -> str:
    if not section.method:
        return ""
    sql = "".join(
        f"<h4>{escape(name)}</h4><pre>{escape(text.strip())}</pre>" for name, text in section.sql.items()
    )
    return f"<h3>Method</h3><pre>{escape(section.method)}</pre><details><summary>SQL</summary>{sql}</details>"


def _figure(drawn: Drawn) -> str:
    picture = svg(still(drawn.figure), alt_text(drawn.title, drawn.figure))
    caption = f"<figcaption>{escape(drawn.caption)}</figcaption>"
    rows = _details(f"{drawn.title}: numbers", *figure_rows(drawn.figure))
    return f"<figure><h3>{escape(drawn.title)}</h3>{caption}{picture}{rows}</figure>"


def _details(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    shown = rows[:MOST_ROWS]
    more = f"{title}, the first {MOST_ROWS:,} of {len(rows):,} rows" if len(rows) > MOST_ROWS else title
    return f'<details><summary>{escape(title)}</summary><div class="wide">{_table(more, columns, shown)}</div></details>'


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _notes(notes: Sequence[Note]) -> str:
    return "".join(
        f'<div class="note"><p class="small">{escape(one.author)}, {one.at:%Y-%m-%d %H:%M} UTC</p>{markdown.html(one.text)}</div>'
        for one in notes
    )


def _link(target: str) -> str:
    shown = escape(target)
    return (
        f'<a href="{shown}" rel="noopener noreferrer">{shown}</a>'
        if target.startswith(("http://", "https://"))
        else shown
    )
