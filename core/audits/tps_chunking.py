"""Did the stream change although the rate did not?

How: Of each response: tokens a chunk (tokens over chunks), chunks a second and tokens a second after the first chunk, the
95th percentile of gaps and the longest. The last days are compared with the days before them in the range, streams of one
provider, model, region and recorder with each other. Hours with 30 responses count, each by its medians; 8 of them are
needed on either side. The change is the Hodges-Lehmann ratio between the hours' medians, hours resampled whole, its
interval wide enough that all kinds of streams hold together in 95 %. The unit changed when tokens a chunk lie outside
the limit of 1; the rate was held when two one-sided tests on the logarithms of tokens a second put it within 5 % of where
it was. Tokens are those of the chunks, else those the provider reports less reasoning that was not streamed, else
characters stand for them.

Verdict: broken is "rate held, unit changed", both shown. A unit that changed with a rate that is not shown to be held is a
watch, because the gauge of tokens a second may have told. The placebo beside it cuts the days before into halves.

Assumes: A chunk is what the client read in one piece: proxies that gather pieces are part of the stream. Hours are
exchangeable while nothing changes. Whether a stream stutters is what people say of it: complaints are counted from
tickets where there are any, and are no part of the verdict.

Not so: Neither tokens a second nor the fluidity index sees a stream cut smaller: at 40 tokens a second chunks of 8, 4 and 1
token have the same rate and a fluidity of 1.000, and 5, 10 and 40 chunks a second (simulated in tests/audits).
A benchmark that takes a chunk for a token, as LLMPerf did until April 2024 (commit afd137a), reports chunks.

Source: Etalon (arXiv 2407.07000); Andes (arXiv 2404.16283); Schuirmann 1987; docs/decisions/030-streams.md.
"""

from __future__ import annotations

import datetime as dt

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number
from core.audit import Ask, Choice, Fact, Finding, Need, Scope, Status, TooLittle, limit_choice
from core.audits import tps_chunking_figures as pictures
from core.audits.retry_ledger_evidence_sql import SPAN_TREE
from core.audits.tps_chunking_compare import FEWEST_HOURS, FEWEST_STREAMS
from core.audits.tps_chunking_measure import Chunking, Kind, measured
from core.audits.tps_chunking_sql import ALONE, CHANGES, HOURS, LISTS, STREAMS, TICKETS
from core.recipes import CHUNKS_TITLE
from core.stats import shifts

TITLE = "The TPS SLO met by chunking smaller"
SECTION = "Speed as felt"
REPORTED = "tokens a second, as before"
SUPPORTED = "tokens in a chunk, as the reader gets them"
LIMIT = 0.10
"""A tenth: tokenizers and lengths move tokens a chunk by a few percent, a change of how a stream is cut by a factor."""
LIMIT_OF_GAP = "around one"
MOST_STREAMS = 60_000
"""Streams that reach Python; beyond it a sample by hash of their key."""
LISTS_A_SIDE, LONGEST_LIST = 20, 1_500
"""Streams whose chunks are looked at one by one, of each kind and side, and how many chunks such a one may have."""
SEED = shifts.SEED
NAME = "tps-chunking"

CHOICES = (
    Choice("days", "Days that are looked at", ("1", "3", "7", "14"), "7",
           "The last days of the range; the days before them in the range are what was usual."),
    limit_choice("Limit on tokens a chunk", ("0.05", "0.10", "0.25"), LIMIT, "The unit is the same within this share."),
    Choice("rate", "Rate is held within", ("0.02", "0.05", "0.10"), "0.05", "Two one-sided tests against this share."),
    Choice("paints", "Paints a second the page can do", ("10", "20", "30", "60"), "20",
           "What the renderer was tuned for: more chunks a second than that wait for each other."),
)  # fmt: skip

CAPTIONS = {
    "chunk_ribbons": "Median of a day's responses with the middle half: the rate the contract is about, and what a chunk holds. "
    "Shaded: the days looked at. Dotted: deploys and other changes.",
    "chunk_staircase": "One typical response before and one now: what had arrived, by ms after the request.",
    "chunk_changes": "Now against before, with intervals; dashed: the limit on what a chunk holds.",
}

_RECIPE = f"Record streams: data page, recipe “{CHUNKS_TITLE}”; or send gen_ai.stream.chunk events."
NEEDS = (
    Need("streams.chunk_count", "chunks of each response", _RECIPE),
    Need("streams.last_chunk_ms", "chunks and tokens a second", _RECIPE),
    Need("streams.output_tokens", "tokens in them", "Ask the provider for usage: stream_options.include_usage.", False),
    Need("streams.char_count", "what stands for tokens without usage", _RECIPE, False),
    Need("tickets.category", "complaints beside it: category with “stutter”", "Import tickets with a category.", False),
    Need("change_events.title", "deploys beside the days", "Give a changes file: python -m core template changes.", False),
)  # fmt: skip

SQL = {
    "hours": HOURS, "streams": STREAMS, "lists": LISTS, "alone": ALONE, "tickets": TICKETS, "changes": CHANGES,
}  # fmt: skip


def since(scope: Scope) -> dt.date:
    """The first of the days looked at."""
    return scope.end - dt.timedelta(days=int(scope.choice("days", "7")) - 1)


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """Hours first: they size the sample."""
    hours = ask(HOURS, **scope.parameters())
    parameters = scope.parameters() | {
        "keep": kept(int(hours["streams"].sum())), "since": since(scope), "lists": LISTS_A_SIDE, "longest": LONGEST_LIST,
    }  # fmt: skip
    names = ("streams", "lists", "alone", "tickets", "changes")
    return {"hours": hours} | {name: ask(SQL[name], **parameters) for name in names}


def kept(streams: int) -> str:
    """Hashes below it are kept, so that about MOST_STREAMS are; hex digits end before "g": all.

    >>> kept(60_000), kept(120_000)
    ('g', '8000')
    """
    return "g" if streams <= MOST_STREAMS else f"{max(16**4 * MOST_STREAMS // streams, 1):04x}"


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Chunking | TooLittle:
    """Every kind of stream, before and now; too little where nothing says how large a chunk was."""
    band, paints = float(scope.choice("rate", "0.05")), float(scope.choice("paints", "20"))
    found = measured(frames, since(scope), scope.limit(LIMIT), band, paints)
    return _nothing(frames) if found is None else found


def _nothing(frames: dict[str, pl.DataFrame]) -> TooLittle:
    first_only, spans, averages, outside = (int(value or 0) for value in frames["alone"].row(0))
    streams = frames["streams"].height
    if streams:
        what = f"streams.output_tokens: {count(streams)} streams with neither tokens nor characters"
        return TooLittle(
            what, f"Ask for usage (stream_options.include_usage), or record characters. {_RECIPE}", streams
        )
    if averages:
        return TooLittle(
            f"streams: chunk sizes were not recorded; {count(averages)} points of time_per_output_chunk are averages", _RECIPE,
        )  # fmt: skip
    if first_only or spans:
        what = f"streams: chunk sizes were not recorded, only first tokens, of {count(max(first_only, spans))} responses"
        return TooLittle(what, _RECIPE)
    return TooLittle("streams: no stream in scope" if not outside else "streams: none in this scope", _RECIPE)


def judge(found: Chunking | TooLittle) -> Finding:
    """The kind of stream whose unit changed most under a rate that was held."""
    if isinstance(found, TooLittle):
        return Finding(
            NAME, "cannot tell", "unknown", "unknown", None, None, None, "ratio", found.n,
            "Whether the stream changed under its rate is not known.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    lead = found.kinds[0]
    n, now = lead.before.streams + lead.now.streams, lead.now if lead.now.streams else lead.before
    supported = f"{number(now.unit, 'score')} {lead.of} a chunk"
    if lead.unit is None:
        reported = f"{number(now.rate, 'score')} {lead.of}/s"
        return Finding(
            NAME, "cannot tell", reported, supported, None, None, None, "ratio", n, _few(lead), _short(found)
        )
    before = number(lead.before.unit, "score")
    return Finding(
        NAME, _status(found), f"{number(lead.changes[1].value, 'ratio')} the rate", f"{supported}, was {before}",
        lead.unit.value, lead.unit.low, lead.unit.high, "ratio", n, _sentence(found, lead),
    )  # fmt: skip


def _status(found: Chunking) -> Status:
    """By the worst kind that can be told; kinds with too few responses are listed and decide nothing."""
    verdict = found.kinds[0].verdict
    if verdict == "rate held, unit changed":
        return "broken"
    return "holds" if verdict == "same unit" else "watch"


def _sentence(found: Chunking, lead: Kind) -> str:
    unit, rate = lead.changes[:2]
    told = (
        f"{lead.name}: {number(lead.now.unit, 'score')} {lead.of} a chunk since {found.since}, "
        f"{number(lead.before.unit, 'score')} before (ratio {unit.value:.2f} {_plain(unit.low, unit.high)}); "
        f"{lead.of}/s ratio {rate.value:.2f} {_plain(rate.low, rate.high)}: {_word(lead)}"
    )
    compared = [one for one in found.kinds if one.changes]
    more = sum(one.verdict == lead.verdict for one in compared) - 1
    others = f"; {more} more of {len(compared)} alike" if more else f" (1 of {len(compared)} compared)"
    return f"{told}{others}."


def _plain(low: float, high: float) -> str:
    return interval(low, high, "ratio").replace("×", "")


def _word(kind: Kind) -> str:
    if kind.verdict == "unit and rate changed" and kind.rate and not kind.rate.held:
        rate = kind.changes[1]
        moved = rate.low > 1 + kind.rate.band or rate.high < 1 - kind.rate.band
        return "unit and rate changed" if moved else "unit changed, the rate is not shown to be held"
    return {"same unit": "same unit", "unsure": "the interval lies across the limit"}.get(
        kind.verdict, kind.verdict
    )


def _few(lead: Kind) -> str:
    now = lead.now if lead.now.streams else lead.before
    return (
        f"{lead.name}: {number(now.unit, 'score')} {lead.of} a chunk at {number(now.rate, 'score')} {lead.of}/s; "
        "too little to compare it with an earlier time."
    )


def _short(found: Chunking) -> str:
    lead = found.kinds[0]
    return (
        f"streams: {FEWEST_HOURS} hours with {FEWEST_STREAMS} responses each are needed before {found.since} and from then on, "
        f"there are {lead.before.hours} and {lead.now.hours}. Widen the range, or keep recording."
    )


def figures(frames: dict[str, pl.DataFrame], found: Chunking) -> dict[str, go.Figure]:
    """Ribbons of rate and unit, a typical response before and now, changes of all that is compared."""
    return pictures.figures(found)


def facts(found: Chunking) -> list[Fact]:
    """Each kind's changes, the renderer's budget, fluidity, complaints, placebo, and what is believed and is not so."""
    return pictures.facts(found)


def tables(found: Chunking) -> dict[str, pl.DataFrame]:
    """Every kind of stream, before and now."""
    return pictures.tables(found)


def worst(found: Chunking | TooLittle) -> pl.DataFrame:
    """At most 500 responses of the days looked at, those furthest from what was usual first."""
    return pictures.furthest(() if isinstance(found, TooLittle) else found.furthest)


def evidence(ask: Ask, scope: Scope) -> pl.DataFrame:
    """The same, asked anew."""
    return worst(measure(load(ask, scope), scope))


def span_tree(ask: Ask, trace_id: str, as_of: int) -> pl.DataFrame:
    """Spans of one response's trace, in order of start; empty where the recording has none."""
    return ask(SPAN_TREE, trace_id=trace_id, as_of=as_of)
