"""What a deck shows, asked anew: every slide at its own scope and data version, its board and its methods beside it.

The same code draws the page, so the numbers are the page's. A slide that can no longer be drawn says why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import ModuleType

from core import decks, findings, links, made, view
from core.audit import Ask, Scope, TooLittle
from core.audits import every_audit
from core.coverage import SUMMARY
from core.decks import Deck, Slide
from core.export import Source
from core.export.content import Board, BoardRow, Content, Method, Shown
from core.multiplicity import chance_text
from core.state import State

Told = Callable[[int, int], None]

_log = logging.getLogger("trueup")


def content(
    ask: Ask, deck: Deck, origin: str, state: State | None = None, told: Told = lambda done, of: None
) -> Content:
    """A deck's summary, slides and appendix. `origin` is where links lead: scheme, host and port.

    `told(done, of)` hears of each slide before it is asked.
    """
    audits = {view.name_of(audit): audit for audit in every_audit()}
    answers: dict[tuple[str, Scope], view.Answer | str] = {}
    shown = []
    for done, slide in enumerate(deck.slides):
        told(done, len(deck.slides))
        shown.append(_shown(ask, slide, audits, answers, origin, state))
    scopes = dict.fromkeys(board_scope(slide.scope, state) for slide in deck.slides)
    methods = [
        _method(audits[name], scope, answer, origin)
        for (name, scope), answer in answers.items()
        if not isinstance(answer, str)
    ]
    boards = [board(ask, scope, origin) for scope in scopes]
    demo = bool(ask(SUMMARY)["demo_imports"][0])
    return Content(deck.name, tuple(boards), tuple(shown), tuple(methods), demo)


def _shown(
    ask: Ask, slide: Slide, audits: Mapping[str, ModuleType], answers: dict[tuple[str, Scope], view.Answer | str],
    origin: str, state: State | None,
) -> Shown:  # fmt: skip
    audit = audits.get(slide.audit)
    if audit is None:
        source = _source(slide.title, slide.figure, slide.scope, slide.audit, origin)
        return Shown(source, slide.audit, None, slide.notes, f"There is no audit {slide.audit} any more.")
    scope = decks.asked(slide, audit, state)
    if (slide.audit, scope) not in answers:
        answers[slide.audit, scope] = _answer(ask, audit, scope)
    answer = answers[slide.audit, scope]
    caption = view.caption_of(audit, slide.figure)
    told = f"{view.titled(slide.figure)}: {caption}" if caption else view.titled(slide.figure)
    if scope.choice(made.BREAKS, "0") != slide.scope.choice(made.BREAKS, "0"):
        told += f" Break calendar {slide.scope.choice(made.BREAKS, '0')} is gone; this is {scope.choice(made.BREAKS, '0')}."
    source = _source(slide.title, told, scope, slide.audit, origin)
    if isinstance(answer, str):
        return Shown(source, slide.audit, None, slide.notes, answer)
    figure = answer.figures.get(slide.figure)
    return Shown(source, slide.audit, figure, slide.notes, "" if figure else _why(answer))


def _answer(ask: Ask, audit: ModuleType, scope: Scope) -> view.Answer | str:
    try:
        return view.answer(audit, ask, scope)
    except Exception as error:  # one audit must not take the deck along; its slide says so
        _log.exception("audit %s failed for a deck", audit.__name__)
        return f"The audit failed on these rows: {type(error).__name__}. The log has more."


def _why(answer: view.Answer) -> str:
    if isinstance(answer.measure, TooLittle):
        return f"Missing: {answer.measure.missing} {answer.measure.how}"
    return "The audit draws no such figure in this scope."


def _source(title: str, figure: str, scope: Scope, audit: str, origin: str) -> Source:
    link = links.share_link(f"{origin}/{audit}", scope, audit)
    return Source(title, figure, links.scope_text(scope), f"as of import {scope.as_of}", link)


def board_scope(scope: Scope, state: State | None = None) -> Scope:
    """The scope of the board that has this slide's audit: every choice at its default."""
    kept = tuple(pair for pair in scope.choices if pair[0] == made.BREAKS)
    plain = scope._replace(choices=kept)
    return findings.stamped(plain, dict(kept).get(made.BREAKS), state)


def board(ask: Ask, scope: Scope, origin: str) -> Board:
    """Every audit's finding as it is kept for the scope; what nobody has asked yet says so."""
    kept = findings.kept(ask, scope)
    rows = []
    for audit in every_audit():
        one = kept.get(view.name_of(audit))
        older = f"as of import {one.version}" if one and one.version != scope.as_of else ""
        rows.append(BoardRow(audit.TITLE, one.finding if one else None, older))
    known = [row.finding for row in rows if row.finding is not None]
    counted = {status: sum(one.status == status for one in known) for status in view.STATUS_COLOURS}
    told = ", ".join(f"{count} {status}" for status, count in counted.items() if count)
    title = f"{len(known)} of {len(rows)} audits asked: {told}" if known else "No audit has been asked yet"
    plain = scope._replace(choices=())
    chance = chance_text(known)
    return Board(_source(title, chance, plain, "", origin), tuple(rows))


def _method(audit: ModuleType, scope: Scope, answer: view.Answer, origin: str) -> Method:
    settings = "; ".join(f"{name} {value}" for name, value in scope.choices)
    sql = ", ".join(view.sql_texts(audit))
    text = view.method_text(audit, answer.measure, answer.finding)
    more = [f"Settings that are not at their default: {settings}."] if settings else []
    told = "\n\n".join([text, *more, f"Questions to the ledger (SQL in the page's method box): {sql}."])
    return Method(_source(f"How it is made: {audit.TITLE}", "", scope, view.name_of(audit), origin), told)
