"""What about the stream changed that no contract mentions?

How: Eleven behaviours of each response: time to first chunk, tokens a second, median and 99th percentile of gaps, share of
gaps above 500 ms, pause before a tool call, text before a tool call and its length, tokens a chunk, reasoning tokens before
the answer, gaps at ends of sentences over others. The newest version of each provider, model, region and recorder is
compared with the one before it, at hours of the day that both have. 100 prompts that both answered are compared in pairs
(Hodges-Lehmann by signed ranks), else 300 responses a side matched by hour of the day; two days a side. Each interval has
the load of days in it, by the spread of days' medians. Usual is the old median give or take the limit, or what two days of
the old version differ by in 90 %, if that is more. A behaviour is outside when a one-sided rank test beyond that range holds
after Holm over all behaviours of all upgrades, inside when two one-sided tests put it within. Overall: energy distance on
standardised behaviours, 2,000 permutations of the version within prompt or hour.

Verdict: broken with one behaviour outside; holds when every one is shown to be inside; watch between. The placebo beside it
compares days of the old version with its other days.

Assumes: What answered is named by the recorder's version, else by the model that the response names. Load moves the tempo of
a whole day; the range and the placebo account for it only as far as the old days did. A new recorder is a new kind.

Not so: That answers and schemas match does not say that nothing changed: with enough users all observable behaviours are
depended on by somebody (hyrumslaw.com), and a pause or a preamble is in no schema.

Source: Szekely and Rizzo 2013; Schuirmann 1987; Holm 1979; hyrumslaw.com; docs/decisions/030-streams.md.
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, share
from core.audit import Ask, Fact, Finding, Need, Scope, Status, TooLittle, limit_choice
from core.audits import hyrum_stream_figures as pictures
from core.audits.hyrum_stream_features import FEWEST_DAYS, FEWEST_PAIRS, FEWEST_SIDE
from core.audits.hyrum_stream_measure import Streams, Upgrade, measured
from core.audits.hyrum_stream_sql import ALONE, CHANGES, COUNT, LISTS, STREAMS
from core.audits.retry_ledger_evidence_sql import SPAN_TREE
from core.recipes import CHUNKS_TITLE
from core.stats import energy

TITLE = "Hyrum's law for streamed reasoning"
SECTION = "Speed as felt"
REPORTED = "answers and schemas match"
SUPPORTED = "behaviours of the stream outside what was usual"
LIMIT = 0.10
"""A tenth of the old median (10 points of a share): less is lost between two days of one version."""
MOST_STREAMS = 30_000
"""Streams that reach Python; beyond it a sample of prompts by hash."""
LISTS_A_VERSION, LONGEST_LIST = 10, 3_000
SEED = energy.SEED
NAME = "hyrum-stream"

CHOICES = (
    limit_choice("Limit on a behaviour", ("0.05", "0.10", "0.25"), LIMIT,
                 "Usual is the old median within this share, or the old version's own change from day to day if that is more."),
)  # fmt: skip

CAPTIONS = {
    "stream_fingerprint": "Each behaviour in shares of its old median: hollow, what 5 to 95 % of old responses had; filled, the "
    "new median with its interval.",
    "stream_barcodes": "One typical response of each version, replayed: a stroke is a chunk, by ms after the request.",
    "stream_behaviours": "Behaviours of the upgrade, by what is shown of them.",
}

_RECIPE = f"Record streams, before the next upgrade: data page, recipe “{CHUNKS_TITLE}”; or send gen_ai.stream.chunk events."
NEEDS = (
    Need("streams.chunk_count", "chunks of each response", _RECIPE),
    Need("streams.last_chunk_ms", "tempo and gaps", _RECIPE),
    Need("streams.response_model", "which version answered", "Name it: version= of the recorder, trueup.version on the span."),
    Need("streams.prompt_id", "pairs: the same prompt before and after", "prompt_id=, or trueup.prompt_id on the span.", False),
    Need("streams.kind", "pauses before tool calls, reasoning", _RECIPE, False),
    Need("streams.preamble_chars", "text before a tool call", "Record kinds, or send messages on spans.", False),
    Need("streams.sentence_gap_ratio", "gaps at ends of sentences", _RECIPE, False),
)  # fmt: skip

SQL = {"counted": COUNT, "streams": STREAMS, "lists": LISTS, "alone": ALONE, "changes": CHANGES}


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """The count first: it sizes the sample."""
    counted = ask(COUNT, **scope.parameters())
    parameters = scope.parameters() | {
        "keep": kept(int(counted.item())), "lists": LISTS_A_VERSION, "longest": LONGEST_LIST,
    }  # fmt: skip
    names = ("streams", "lists", "alone", "changes")
    return {"counted": counted} | {name: ask(SQL[name], **parameters) for name in names}


def kept(streams: int) -> str:
    """Hashes below it are kept, so that about MOST_STREAMS are; hex digits end before "g": all.

    >>> kept(30_000), kept(60_000)
    ('g', '8000')
    """
    return "g" if streams <= MOST_STREAMS else f"{max(16**4 * MOST_STREAMS // streams, 1):04x}"


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Streams | TooLittle:
    """Every upgrade and every version's record; too little where nothing of a stream was recorded."""
    found = measured(frames, scope.limit(LIMIT))
    return _nothing(frames) if found is None else found


def _nothing(frames: dict[str, pl.DataFrame]) -> TooLittle:
    first_only, spans, averages, outside = (int(value or 0) for value in frames["alone"].row(0))
    if first_only or spans or averages:
        seen = max(first_only, spans, averages)
        return TooLittle(
            f"streams: {count(seen)} streamed responses and no chunk times: the old stream was never recorded",
            _RECIPE,
        )
    return TooLittle(
        "streams: none in this scope" if outside else "streams: no stream was ever recorded", _RECIPE
    )


def judge(found: Streams | TooLittle) -> Finding:
    """The upgrade with most behaviours outside what was usual."""
    if isinstance(found, TooLittle):
        return Finding(
            NAME, "cannot tell", "unknown", "unknown", None, None, None, "count", found.n,
            "What about the stream changed is not known: nothing was kept to compare with.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    lead = found.upgrades[0] if found.upgrades else None
    if lead is None or not lead.features:
        return _few(found, lead)
    outside, unsure, tested = lead.states("outside"), lead.states("unsure"), len(lead.features)
    n = len(lead.sides.before) + len(lead.sides.after)
    status: Status = "broken" if outside else "watch" if unsure else "holds"
    return Finding(
        NAME, status, "answers match", f"{count(outside)} of {count(tested)} outside", outside, outside, outside + unsure,
        "count", n, _sentence(found, lead), bounds="shown to not excluded",
    )  # fmt: skip


def _sentence(found: Streams, lead: Upgrade) -> str:
    first = pictures.leading(lead)
    told = f"{first.feature.label} {pictures.told(first, first.old)} to {pictures.told(first, first.new)}"
    bounds = f"[{pictures.told(first, first.low)}, {pictures.told(first, first.high)}]"
    how = (
        f"{count(len(lead.sides.pairs))} prompts in pairs"
        if lead.sides.paired
        else "responses matched by hour of the day"
    )
    others = sum(bool(one.states("outside")) for one in found.upgrades) - bool(lead.states("outside"))
    more = f" {count(others)} more upgrades have some too." if others else ""
    return (
        f"{lead.sides.name}, {lead.sides.old} to {lead.sides.new}: {count(lead.states('outside'))} of "
        f"{count(len(lead.features))} undocumented behaviours are outside their old range, "
        f"{count(lead.states('unsure'))} not shown either way (first: {told} {bounds}; {how}).{more}"
    )


def _few(found: Streams, lead: Upgrade | None) -> Finding:
    """One version is a reference; two with too little are told what is short."""
    kept_of = max(found.references, key=lambda one: (one.responses, one.version))
    k, n = (sum(one.preambles[at] for one in found.references) for at in (0, 1))
    supported = (
        f"{share(k / n)} of calls preceded by text" if n else f"{count(kept_of.responses)} responses kept"
    )
    if lead is None:
        version = kept_of.version or "one unnamed version"
        sentence = f"A reference is kept: {version}, {count(kept_of.responses)} responses of {count(kept_of.days)} days."
        missing = "streams.response_model: one version was recorded. Keep recording: the next one is compared with it."
    else:
        sides = lead.sides
        days = [len({row["day"] for row in side}) for side in (sides.before, sides.after)]
        sentence = f"{sides.name}: {sides.old} to {sides.new} has too few responses to compare."
        missing = (
            f"streams: {FEWEST_PAIRS} prompts that both answered are needed, or {FEWEST_SIDE} responses a side at the same hours "
            f"of the day, on {FEWEST_DAYS} days each; there are {len(sides.pairs)} prompts, {len(sides.before)} and "
            f"{len(sides.after)} responses on {days[0]} and {days[1]} days. Keep recording, or send the same prompts: {_RECIPE}"
        )
    return Finding(
        NAME,
        "cannot tell",
        "answers match",
        supported,
        None,
        None,
        None,
        "count",
        found.sampled,
        sentence,
        missing,
    )


def figures(frames: dict[str, pl.DataFrame], found: Streams) -> dict[str, go.Figure]:
    """The fingerprint, two replayed streams, behaviours by what is shown."""
    return pictures.figures(found)


def facts(found: Streams) -> list[Fact]:
    """Behaviours with their ranges, the overall distance, placebo, preambles, and what is believed and is not so."""
    return pictures.facts(found)


def tables(found: Streams) -> dict[str, pl.DataFrame]:
    """Behaviours of upgrades, and the versions that are recorded."""
    return pictures.tables(found)


def worst(found: Streams | TooLittle) -> pl.DataFrame:
    """At most 500 responses of the new version, furthest from the old median in what changed most first."""
    return pictures.newest(None if isinstance(found, TooLittle) else found)


def evidence(ask: Ask, scope: Scope) -> pl.DataFrame:
    """The same, asked anew."""
    return worst(measure(load(ask, scope), scope))


def span_tree(ask: Ask, trace_id: str, as_of: int) -> pl.DataFrame:
    """Spans of one response's trace, in order of start; empty where the recording has none."""
    return ask(SPAN_TREE, trace_id=trace_id, as_of=as_of)
