"""What the providers charge: tokens and requests by day, project and model, added up while the runs go by.

Rules of the demo: an answered request is billed; a broken stream is billed for its prompt and for what it had
produced; 4xx, 5xx and client time-outs are not billed. The planted differences to the traces are hidden
re-sends, an untraced caller, and a day of which the first bill knows only a part.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import NamedTuple

from data.demo.plan import Model, Plan, first_day_number
from data.demo.prices import Tokens, amounts, billed_tokens, billing_day, token_prices
from data.demo.world import Call, Run


class Key(NamedTuple):
    """One group of a bill; day counts from the epoch."""

    bill: str
    day: int
    project: str
    model: Model


class Charge(NamedTuple):
    """Requests and tokens of a group."""

    requests: int
    tokens: Tokens


NOTHING = Charge(0, Tokens(0, 0, 0, 0))
Charges = dict[Key, Charge]


class Books(NamedTuple):
    """`final` is what the last bill says; `missing` is the part of it the first bill leaves out."""

    final: Charges
    missing: Charges


def plus(charge: Charge, requests: int, tokens: Tokens) -> Charge:
    """A charge with `requests` more requests of `tokens` each."""
    held = charge.tokens
    return Charge(
        charge.requests + requests,
        Tokens(
            held.input + requests * tokens.input,
            held.cache_read + requests * tokens.cache_read,
            held.cache_write + requests * tokens.cache_write,
            held.output + requests * tokens.output,
        ),
    )


def usd(key: Key, charge: Charge) -> Decimal:
    """What a group costs."""
    return sum(amounts(charge.tokens, token_prices(key.model, key.day)), Decimal(0))


def charge_run(rng: Random, plan: Plan, run: Run, books: Books) -> list[Call]:
    """Book every billed request of a run; returns the calls the untraced caller made alike."""
    untraced: list[Call] = []
    start_day = first_day_number(plan.days)
    for call in run.calls:
        if not call.billed_requests:
            continue
        day, tokens = billing_day(call), billed_tokens(call)
        key = Key(run.service.bill, day, run.service.project, call.model)
        books.final[key] = plus(books.final.get(key, NOTHING), call.billed_requests, tokens)
        if run.service.project == plan.restated_project and day == start_day + plan.restated_day:
            gap = books.missing.get(key, NOTHING)
            if gap.requests < plan.restated_missing_share * books.final[key].requests:
                books.missing[key] = plus(gap, call.billed_requests, tokens)
        if run.service.project == plan.untraced_like and day >= start_day + plan.untraced_from_day:
            repeats = int(plan.untraced_share) + (rng.random() < plan.untraced_share % 1)
            if repeats:
                other = key._replace(project=plan.untraced_project)
                books.final[other] = plus(books.final.get(other, NOTHING), repeats, tokens)
                untraced += [call] * repeats
    return untraced


def first_version(books: Books) -> Charges:
    """The charges as first billed."""
    out = dict(books.final)
    for key, gap in books.missing.items():
        whole = books.final[key]
        out[key] = Charge(whole.requests - gap.requests, _minus(whole.tokens, gap.tokens))
    return out


def _minus(whole: Tokens, part: Tokens) -> Tokens:
    return Tokens(
        whole.input - part.input,
        whole.cache_read - part.cache_read,
        whole.cache_write - part.cache_write,
        whole.output - part.output,
    )
