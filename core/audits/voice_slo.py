"""What does the caller wait from the last word to the first audible sound, and who owns each part?

How: A turn's wait is walked backwards from its first sound along the critical path: endpointing, final transcript,
orchestration and tools, first LLM token, thinking, sentence, first TTS byte, leading silence, transport and jitter buffer.
What ran beside a longer stage counts nothing. The remainder is the measured total less its parts, so parts add up to the
wait in every turn and in the mean. Quantiles do not add: no sum of p95s is shown; the tail is told by the parts averaged
over the slowest 5 % of turns. The p95 has an order-statistic interval, the share within the limit Wilson's, both at the
effective number of turns: n divided by the design effect 1 + (turns a call - 1) ICC. Shares of the mean have a BCa bootstrap
over calls.

Verdict: on the p95 that callers heard, whole interval; 59 turns of 30 calls are needed. Without a measurement at the caller
(its client or a recording) the server's number is a lower bound, and never a pass. A remainder past 10 % of the mean means
that instrumentation is missing.

Assumes: Instants of one turn are of one server's clock; what the client measured are durations. The caller's last word is
where voice activity ended, not where the turn was decided to be over. Providers show their own transcript, first token and
first byte. The model choice of the scope does not apply: a caller waits for all of a turn.

Not so: The p95s of the parts do not add up to the p95 of the wait, which is how a voice budget is usually written: only means
add (Artzner et al. 1999, Math. Finance 9:203). And a first token is no answer where the model thinks: 65 ms against
1,464 ms at the median (kwindla/aiewf-eval, August 2026).

Source: ITU-T G.114; Stivers et al. 2009 (PNAS 106:10587); Kish 1965 (Survey Sampling); Woodruff 1952 (JASA 47:635);
Efron 1987; docs/decisions/033-voice.md.
"""

from __future__ import annotations

import datetime as dt

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number, share
from core.audit import Ask, Fact, Finding, Need, Scope, Status, TooLittle, against_limit, limit_choice
from core.audits import voice_slo_figures as pictures
from core.audits.retry_ledger_evidence_sql import SPAN_TREE
from core.audits.voice_slo_measure import FEWEST_CALLS, FEWEST_TURNS, Voice, measured, quantile
from core.audits.voice_slo_sql import CHANGES, DAYS, EVENTS, SPANS
from core.audits.voice_slo_turns import read
from core.recipes import VOICE_TITLE
from core.stats import resampling
from core.stats.daily_series import newest_that_fit

TITLE = "The voice SLO that stops at the first token"
SECTION = "Speed as felt"
REPORTED = "first token of the model"
SUPPORTED = "wait from the last word to the first sound"
LIMIT = 1500.0
"""People leave each other 0.2 s (Stivers), a network may take 0.15 s each way (G.114), and a second keeps the thread
(Miller 1968)."""
LIMIT_OF_GAP = "above"
MOST_SPANS = 100_000
"""Spans that reach Python: about 15,000 turns. Whole days, the newest first, and the page says from which."""
MOST_REMAINDER = 0.10
SEED = resampling.SEED
NAME = "voice-slo"
LEAST = "≥\N{NO-BREAK SPACE}"

CHOICES = (
    limit_choice(
        "Limit on the wait", ("800", "1000", "1500", "2500"), LIMIT, "ms; 95 of 100 turns within it."
    ),
)

CAPTIONS = {
    "voice_parts": "Mean parts of the wait. Hatched: what a provider's dashboard shows. Dashed: the limit, which is for the p95.",
    "voice_ecdf": "Every turn: the wait, and the first token of the model behind it.",
    "voice_days": "Turns within the limit, of the day's turns; 95% keep the SLO. Dotted: deploys and other changes.",
}

_RECIPE = f"Write voice metrics as JSON lines: data page, recipe “{VOICE_TITLE}”."
NEEDS = (
    Need("spans.gen_ai_conversation_id", "turns of a call: voice metrics or spans", _RECIPE),
    Need("spans.gen_ai_response_time_to_first_chunk_ns", "first tokens and first bytes", _RECIPE),
    Need("span_events.at_ns", "end of the turn, first answer token, first audible sound", _RECIPE, False),
    Need("change_events.title", "deploys beside the days", "Give a changes file: python -m core template changes.", False),
)  # fmt: skip

SQL = {"days": DAYS, "spans": SPANS, "events": EVENTS, "changes": CHANGES}


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """Days first: they say from which day on the spans fit."""
    days = ask(DAYS, **scope.parameters())
    parameters = scope.parameters() | {"since": sample(days, scope)}
    return {name: ask(SQL[name], **parameters) for name in ("spans", "events", "changes")} | {"days": days}


def sample(days: pl.DataFrame, scope: Scope) -> dt.date:
    """First day read: the newest whole days that fit, at least one."""
    first = newest_that_fit(days.select("day", "spans").rows(), MOST_SPANS)
    return scope.start if first is None else min(first, scope.end)


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Voice | TooLittle:
    """Every turn's wait; too little without enough turns of enough calls."""
    since = sample(frames["days"], scope)
    held = read(frames["spans"], frames["events"], since)
    found = measured(held, frames["changes"], since, scope.limit(LIMIT))
    if isinstance(found, Voice):
        return found
    turns, calls = found
    if turns:
        told = f"{count(turns)} turns of {count(calls)} calls, {FEWEST_TURNS} of {FEWEST_CALLS} are needed"
        return TooLittle(f"spans: {told} to bound a p95", "Widen the range, or wait for more calls.", turns)
    lost = f": {count(held.unmeasured)} have no beginning or no end" if held.unmeasured else ""
    return TooLittle(f"spans: no turn of a voice call that can be measured{lost}", _RECIPE)


def judge(found: Voice | TooLittle) -> Finding:
    """The p95 that callers heard against the limit, whole interval."""
    if isinstance(found, TooLittle):
        return Finding(
            NAME, "cannot tell", "unknown", "unknown", None, None, None, "ms", found.n,
            "How long callers wait for the first sound is not known.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    p95, known = found.p95, found.p95.low is not None and found.p95.high is not None
    first = quantile(found.ttft_ms, 0.95)
    return Finding(
        NAME, _status(found), "unknown" if first is None else f"{_narrow(first)} p95 first token",
        f"{'' if found.heard else LEAST}{_narrow(p95.value)} p95 wait, {share(found.hidden.value)} unseen",
        p95.value if known else None, p95.low if known else None, p95.high if known else None, "ms", len(found.turns),
        _sentence(found), _missing(found),
    )  # fmt: skip


def _narrow(value: float) -> str:
    """Milliseconds whose unit stays with the number where a narrow place cuts at a space."""
    return number(value, "ms").replace(" ", "\N{NO-BREAK SPACE}")


def _status(found: Voice) -> Status:
    if not found.heard or found.p95.low is None or found.p95.high is None:
        return "cannot tell"
    status = against_limit(found.p95.low, found.p95.high, found.limit)
    return status if found.complete or status == "broken" else "cannot tell"


def _sentence(found: Voice) -> str:
    p95 = found.p95
    bounds = "" if p95.low is None or p95.high is None else f" {interval(p95.low, p95.high, 'ms')}"
    hidden = f"{share(found.hidden.value)} {interval(found.hidden.low, found.hidden.high, 'share')}"
    if not found.heard:
        past = ", past the limit already" if p95.low is not None and p95.low > found.limit else ""
        return (
            f"Cannot tell what the caller heard; lower bound from server = {number(p95.value, 'ms')} at the 95th percentile"
            f"{bounds}{past}."
        )
    longest = max((part for part in found.parts if not part.visible), key=lambda part: part.mean_ms)
    return (
        f"In 95 of 100 turns callers wait up to {number(p95.value, 'ms')}{bounds}; no provider's dashboard shows {hidden} of "
        f"the mean, the largest part of it {longest.name} ({number(longest.mean_ms, 'ms')})."
    )


def _missing(found: Voice) -> str:
    told = []
    if not found.heard:
        told.append(
            f"client_audio: {count(found.heard_turns)} of {count(found.all_turns)} turns were measured at the caller, "
            f"{FEWEST_TURNS} of {FEWEST_CALLS} calls are needed"
        )
    elif not found.complete and found.p95.high is not None:
        told.append(
            f"client_audio: only {count(found.heard_turns)} of {count(found.all_turns)} turns were measured at the caller"
        )
    if found.p95.high is None:
        worth = f"{count(len(found.turns))} turns are worth {count(int(found.p95_design.effective))} independent ones"
        told.append(f"calls: {worth}, {FEWEST_TURNS} are needed")
    if abs(found.remainder.value) > MOST_REMAINDER:
        told.append(
            f"instrumentation missing here: {share(found.remainder.value)} of the mean wait is in no part"
        )
    return f"{'; '.join(told)}. {_RECIPE}" if told else ""


def figures(frames: dict[str, pl.DataFrame], found: Voice) -> dict[str, go.Figure]:
    """Mean parts of all and of the slowest turns, both distributions, the share within the limit by day."""
    return pictures.figures(found)


def facts(found: Voice) -> list[Fact]:
    """Compliance, design effect, remainder, placebo, and what is believed of voice budgets and is not so."""
    return pictures.facts(found)


def tables(found: Voice) -> dict[str, pl.DataFrame]:
    """Every part with who owns it."""
    return pictures.tables(found)


def worst(found: Voice | TooLittle) -> pl.DataFrame:
    """At most 500 turns, the longest wait first: the way into a call's spans."""
    return pictures.slowest_turns(() if isinstance(found, TooLittle) else found.turns)


def evidence(ask: Ask, scope: Scope) -> pl.DataFrame:
    """The same, asked anew."""
    return worst(measure(load(ask, scope), scope))


def span_tree(ask: Ask, trace_id: str, as_of: int) -> pl.DataFrame:
    """Spans of one call in order of start; empty when it is not in the ledger."""
    return ask(SPAN_TREE, trace_id=trace_id, as_of=as_of)
