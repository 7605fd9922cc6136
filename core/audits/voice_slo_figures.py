"""Pictures, facts and tables of the voice audit. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number, share
from core.audit import Fact
from core.audits.voice_slo_measure import Compliance, Spoken, Voice, quantile
from core.audits.voice_slo_parts import PARTS
from core.charts import Line, Mark, lines
from core.charts.compare import ecdf
from core.charts.waits import Piece, waits

MOST_MARKS = 12
MOST_ROWS = 500
LOOK = {
    "endpointing": ("loss", 1.0), "final transcript": ("accent", 1.0), "orchestration and tools": ("ink", 0.7),
    "first LLM token": ("accent", 1.0), "thinking": ("other", 1.0), "first token to sentence": ("good", 1.0),
    "sentence": ("good", 0.6), "first TTS byte": ("accent", 1.0), "leading silence": ("warn", 0.8),
    "transport": ("useful", 1.0), "jitter buffer": ("label", 1.0), "remainder": ("muted", 0.6),
}  # fmt: skip
"""Colour role and strength of each part."""
OWNERS = {
    "endpointing": "turn detection and its settings", "final transcript": "speech-to-text provider",
    "orchestration and tools": "your code and your tools", "first LLM token": "model provider",
    "thinking": "model and its reasoning setting", "first token to sentence": "model, and where sentences are cut",
    "sentence": "where sentences are cut", "first TTS byte": "speech provider",
    "leading silence": "speech provider, unmeasured by it", "transport": "network", "jitter buffer": "the caller's client",
    "remainder": "nobody yet: no instrumentation",
}  # fmt: skip


def figures(found: Voice) -> dict[str, go.Figure]:
    """Mean parts of all and of the slowest turns, both distributions, the share within the limit by day."""
    sides = [("first LLM token", found.ttft_ms)] if found.ttft_ms else []
    heard = "voice to voice" if found.heard else "lower bound of voice to voice"
    return {
        "voice_parts": waits(_pieces(found), "ms", found.limit),
        "voice_ecdf": ecdf([*sides, (heard, [one.ms for one in found.turns])], "ms", "wait (ms)"),
        "voice_days": _days(found),
    }


def _pieces(found: Voice) -> list[Piece]:
    bars = (
        (f"all turns ({len(found.turns):,})", lambda part: part.mean_ms),
        (f"slowest 5% ({found.slowest:,})", lambda part: part.slow_ms),
    )
    kept = [part for part in found.parts if part.mean_ms or part.slow_ms]
    return [
        Piece(bar, part.name, value(part), LOOK[part.name][0], part.visible, LOOK[part.name][1])
        for bar, value in bars
        for part in kept
    ]


def _days(found: Voice) -> go.Figure:
    days: list[dt.date] = []
    shares: list[float] = []
    for day, held in groupby(sorted(found.turns, key=lambda one: one.turn.day), key=lambda one: one.turn.day):
        within = [one.ms <= found.limit for one in held]
        days.append(day)
        shares.append(sum(within) / len(within))
    marks = [Mark(day, title) for day, title in found.changes if days[0] <= day <= days[-1]][:MOST_MARKS]
    return lines([Line("within the limit", days, shares)], "share", marks, limit=0.95)


def facts(found: Voice) -> list[Fact]:
    """Every number that no figure shows."""
    n, within = len(found.turns), found.within
    rows = [
        Fact("a turn", "median wait", number(quantile(sorted(one.ms for one in found.turns), 0.5), "ms"), "", n),
        Fact("a turn", "mean wait", number(found.mean_ms, "ms"), "", n, "the sum of the parts' means, and of nothing else's"),
        Fact("a turn", "on no provider's dashboard", share(found.hidden.value),
             interval(found.hidden.low, found.hidden.high, "share"), n, f"of the mean; {found.hidden.method} over calls"),
        Fact("a turn", "remainder", share(found.remainder.value),
             interval(found.remainder.low, found.remainder.high, "share"), n, "of the mean; past 10%: instrumentation missing"),
        Fact("a turn", "first LLM token, median", number(quantile(found.ttft_ms, 0.5), "ms"), "", len(found.ttft_ms)),
        Fact("a turn", "first LLM token, 95th percentile", number(quantile(found.ttft_ms, 0.95), "ms"), "", len(found.ttft_ms)),
        Fact("a turn", "first token of the answer, median", number(quantile(found.answer_ms, 0.5), "ms"), "",
             len(found.answer_ms), "after what the model thought, where that is told"),
        Fact("a turn", "first token of the answer, 95th percentile", number(quantile(found.answer_ms, 0.95), "ms"), "",
             len(found.answer_ms)),
        *_within(within, found.limit),
        Fact("sample", "measured at the caller", count(found.heard_turns), "", found.all_turns,
             "by the client or a recording; others end where the server sent the sound"),
        Fact("sample", "turns without a beginning or an end", count(found.unmeasured), "", None, "left out"),
        Fact("sample", "from", str(found.since), "", n, "whole days, the newest that fit"),
    ]  # fmt: skip
    if (nothing := found.placebo) is not None:
        said = (
            "called different: read the verdict with this in mind"
            if nothing.fired
            else "not called different"
        )
        rows.append(Fact("placebo", "slow turns in one half of the calls less the other", number(nothing.difference, "points"),
                         interval(nothing.low, nothing.high, "points"), n, said))  # fmt: skip
    return [*BELIEVED, *rows]


def _within(within: Compliance, limit: float) -> list[Fact]:
    design = within.design
    worth = f"{count(design.n)} turns of {count(design.clusters)} calls are worth {count(round(design.effective))}"
    return [
        Fact("SLO", f"turns within {number(limit, 'ms')}", share(within.share), interval(*within.bounds, "share"),
             design.n, "Wilson at the effective n"),
        Fact("SLO", "design effect of calls", number(design.effect, "ratio"), "", design.n,
             f"ICC {design.icc:.2f}: {worth} independent ones"),
    ]  # fmt: skip


BELIEVED = (
    Fact("believed", "p95s of the parts add up to the p95 of the wait", "they do not", "", None,
         "only means add: quantiles are not even subadditive (Artzner et al. 1999, Math. Finance 9:203)"),
    Fact("believed", "the first token is the answer", "not where the model thinks", "", None,
         "one model: first token 65 ms, first token of the answer 1,464 ms at the median (kwindla/aiewf-eval, 9526aac)"),
)  # fmt: skip


def tables(found: Voice) -> dict[str, pl.DataFrame]:
    """Parts in the order they are waited for, with who owns each."""
    columns = {
        "part": pl.String, "mean_ms": pl.Float64, "share of the mean": pl.Float64, "mean_ms, slowest 5%": pl.Float64,
        "on a provider's dashboard": pl.Boolean, "who can change it": pl.String,
    }  # fmt: skip
    rows = [
        (part.name, part.mean_ms, part.mean_ms / found.mean_ms, part.slow_ms, part.visible, OWNERS[part.name])
        for part in found.parts
    ]
    return {"Parts": pl.DataFrame(rows, schema=columns, orient="row")}


def slowest_turns(turns: Sequence[Spoken]) -> pl.DataFrame:
    """Turns as evidence rows, the longest wait first."""
    columns = {
        "day": pl.Date, "service": pl.String, "call": pl.String, "wait_ms": pl.Float64, "measured at the caller": pl.Boolean,
        "first_token_ms": pl.Float64, "longest part": pl.String, "part_ms": pl.Float64, "remainder_ms": pl.Float64,
        "trace_id": pl.String,
    }  # fmt: skip
    slowest = sorted(turns, key=lambda one: (-one.ms, one.turn.trace_id, one.turn.span_id))[:MOST_ROWS]
    return pl.DataFrame([_row(one) for one in slowest], schema=columns, orient="row")


def _row(one: Spoken) -> tuple[object, ...]:
    longest = max(range(len(PARTS)), key=lambda at: one.wait.parts[at])
    ttft = None if one.wait.ttft_s is None else one.wait.ttft_s * 1e3
    return (
        one.turn.day, one.turn.service, one.turn.call, one.ms, one.wait.heard, ttft, PARTS[longest],
        one.wait.parts[longest] * 1e3, one.wait.parts[-1] * 1e3, one.turn.trace_id,
    )  # fmt: skip
