"""Do all regions serve the same model as the reference region?

How: The same fixed prompts go to every region; answers are paired by prompt, day and place in the day's order, so
that neither a hard prompt nor a bad day can look like drift. Certain differences come first: another response model
or another token count of a fixed text. Then a battery on the last days: exact McNemar on success, format and refusal,
Wilcoxon on log length, a kernel test (MMD²) on characters, words and openings with labels permuted within the prompt,
evals on the same samples; Kolmogorov-Smirnov on ordinary traffic, time to first chunk and tokens per second only
corroborate. Holm over signals and regions. Over time every region's every signal bets on bounded paired differences;
e-BH over all of them, looked at daily, keeps the chance of any false alarm within 5 % however long one looks. From
eight days on only such an alarm says that a region differs; tests that differ at 1 % before it alarms are a watch.
The date is the restart with the largest e-value, its interval a bootstrap; who moved is told by each region's before
and after beside the others.

Verdicts: different generation is broken. Same holds, and needs every interval within the limit. Both changed (the
reference moved and no region left it) is a release and no lottery: it holds where a release was recorded within two
days, else it is a watch, because nobody announced it. Infrastructure only holds: latency or labels moved, the
answers did not, and answers are the question. A region that differed earlier and does so no more is a watch. Cannot
tell says what is short. The placebo beside it is the same battery on two halves of the reference.

Assumes: Answers of one prompt are independent given the model; days are exchangeable while nothing moves. Intervals
are for these prompts, which are fixed, and not for other ones. The reference is the probed region with most ordinary
traffic, else with most answers: where every other region differs, the odd one is the reference.

Source: Gao, Liang & Guestrin 2024 (arXiv 2410.20247); Waudby-Smith & Ramdas 2024; Wang & Ramdas 2022; Chen, Zaharia
& Zou 2023 (arXiv 2307.09009); docs/decisions/017-regional-drift.md.
"""

from __future__ import annotations

import datetime as dt

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number
from core.audit import Ask, Choice, Fact, Finding, Need, Scope, Status, TooLittle, limit_choice
from core.audits import regional_drift_figures as pictures
from core.audits.regional_drift_measure import Drift, measured, reference_region
from core.audits.regional_drift_passive import snapshots
from core.audits.regional_drift_signals import Signal
from core.audits.regional_drift_sql import CALLS, CHANGES, COUNTS, EVALS, LENGTHS, PROBES
from core.audits.regional_drift_time import NEAR_DAYS
from core.audits.regional_drift_verdict import SUSPECT_ALPHA, Region
from core.stats import betting

TITLE = "The regional rollout lottery"
SECTION = "Same name, different model"
REPORTED = "one model name in every region"
SUPPORTED = "regions that answer as the reference does"
LIMIT = 0.10
"""Points of a share, or share of a length: snapshots of one model differ by more, seeds and hardware by less."""
MOST_ANSWERS = 60_000
"""Answers that reach Python; beyond it the first ones of each prompt and day, then fewer prompts, drawn by hash."""
SEED = betting.SEED
NAME = "regional-drift"

CHOICES = (
    Choice(
        "window", "Days that are tested", ("7", "14", "28", "90"), "28",
        "The battery looks at the last days; the watch at all of them.",
    ),
    limit_choice(
        "Limit on a difference", ("0.05", "0.10", "0.20"), LIMIT,
        "Same means that every interval lies within it: points of a share, or share of a length.",
    ),
)  # fmt: skip

CAPTIONS = {
    "drift_strip": "Evidence against equal answers, by region and day: log e-value, darker is more. Dotted: releases.",
    "drift_signals": "Difference from the reference with 95 % interval over the tested days; dashed: the limit.",
    "drift_distribution": "The strongest signal of the region with most evidence, beside the reference.",
    "drift_moved": "Before and after the date on which a region came apart: who moved?",
}

_RECIPE = "Run docs/recipes/regional_probes with your own keys and give its file on the data page."
NEEDS = (
    Need("probes.prompt_id", "the same fixed prompts in every region", _RECIPE),
    Need("probes.text", "answers to compare", "Let the runner write text, or at least text_hash."),
    Need("probes.score", "a difference in success, with an interval", "Give each prompt of the runner a check.", False),
    Need("probes.response_model", "certainty about the snapshot", "The runner writes what the answer says.", False),
    Need("probes.first_chunk_ms", "infrastructure told from behaviour", "Let the runner stream.", False),
    Need("calls.response_model", "ordinary traffic, and the reference", "Send traces with cloud.region.", False),
    Need("eval_runs.region", "evals of the same samples by region", "Name the region in the run's metadata.", False),
    Need("change_events.title", "releases to lay beside a date", "Give a changes file: python -m core template changes.", False),
)  # fmt: skip

SQL = {
    "counts": COUNTS, "probes": PROBES, "calls": CALLS, "lengths": LENGTHS, "evals": EVALS, "changes": CHANGES,
}  # fmt: skip


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """Counts first: they size the sample and choose the reference."""
    days = {"start_ns": scope.start, "until_ns": scope.end + dt.timedelta(days=1)}
    instants = {name: (day - dt.date(1970, 1, 1)).days * 86_400 * 10**9 for name, day in days.items()}
    parameters = scope.parameters() | instants
    frames = {name: ask(SQL[name], **parameters) for name in ("counts", "calls", "lengths", "changes")}
    cells = max(int(frames["counts"]["cells"].sum()), 1)
    prompts = max(frames["counts"]["prompts"].to_list(), default=0)
    sample = {
        "completions": min(max(MOST_ANSWERS // cells, 1), 8),
        "prompts": prompts if cells <= MOST_ANSWERS else max(prompts * MOST_ANSWERS // cells, 1),
    }
    frames["probes"] = ask(PROBES, **parameters, **sample)
    reference = reference_region(frames["counts"], frames["calls"])
    return frames | {"evals": ask(EVALS, **parameters, reference=reference)}


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Drift | TooLittle:
    """Every region beside the reference; too little without probes of two regions and without another snapshot."""
    regions = frames["counts"]["region"].to_list()
    reference = reference_region(frames["counts"], frames["calls"])
    if len(regions) < 2 and not snapshots(frames["calls"], reference):
        n = int(frames["counts"]["answers"].sum())
        what = f"probes: only {regions[0]} was probed" if regions else "probes: no probe in scope"
        return TooLittle(what, _RECIPE, n)
    limit, window = scope.limit(LIMIT), int(scope.choice("window", "28"))
    found = measured(frames, scope, limit, window)
    if not found.regions:
        return TooLittle(
            "probes: no region in scope beside the reference", "Clear the region choice.", found.answers
        )
    return found


def judge(found: Drift | TooLittle) -> Finding:
    """How many regions answer as the reference does, and the difference of the one that does so least."""
    if isinstance(found, TooLittle):
        return Finding(
            NAME, "cannot tell", "unknown", "unknown", None, None, None, "points", found.n,
            "Whether the regions serve one model is not known.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    signal = headline(found)
    m = len(found.regions)
    like = sum(one.verdict in ("same", "both changed", "infrastructure only") for one in found.regions)
    n = found.answers or sum(certain.n for one in found.regions for certain in one.certain)
    gap, low, high = (None, None, None) if signal is None else (signal.effect, signal.low, signal.high)
    return Finding(
        NAME, _status(found), f"1 model in {count(m + 1)} regions", f"{like} of {m} answer as {found.reference}",
        gap, low, high, signal.unit if signal else "points", n,
        sentence(found), _missing(found),
    )  # fmt: skip


def _status(found: Drift) -> Status:
    verdicts = {one.verdict for one in found.regions}
    if "different generation" in verdicts:
        return "broken"
    if any(one.suspected or one.earlier for one in found.regions):
        return "watch"
    if "cannot tell" in verdicts:
        return "cannot tell"
    return "watch" if moved_together(found) and not announced(found) else "holds"


def moved_together(found: Drift) -> dt.date | None:
    """The day on which the reference moved and the regions with it."""
    days = [one.day for one in found.changed if one.p <= SUSPECT_ALPHA]
    return days[0] if days and any(one.verdict == "both changed" for one in found.regions) else None


def announced(found: Drift) -> str:
    """The release recorded near that day."""
    day = moved_together(found)
    near = [title for at, title, _ in found.releases if day and abs((at - day).days) <= NEAR_DAYS]
    return near[0] if near else ""


def headline(found: Drift) -> Signal | None:
    """The signal the gap is of: with an interval, of the regions that differ if any, the smallest p."""
    differ = [one for one in found.regions if one.verdict == "different generation"]
    signals = [
        signal
        for one in differ or found.regions
        for signal in one.signals
        if signal.kind == "behaviour" and signal.low is not None
    ]
    return min(signals, key=lambda one: (one.p, -abs(one.effect), one.region, one.name), default=None)


def sentence(found: Drift) -> str:
    """Which regions differ, since when, and by what."""
    differ = [one for one in found.regions if one.verdict == "different generation"]
    m = len(found.regions)
    if differ:
        told = "; ".join(_told(one, found.first_day) for one in differ)
        odd = (
            f" Every other region differs: the odd one is {found.reference}." if len(differ) == m > 1 else ""
        )
        return (
            f"{len(differ)} of {m} regions serve a different behaviour than {found.reference}: {told}.{odd}"
        )
    suspects = [one.region for one in found.regions if one.suspected or one.earlier]
    if suspects:
        return (
            f"No region is shown to differ from {found.reference} now, but {', '.join(suspects)} may, or did."
        )
    day = moved_together(found)
    if day:
        cause = announced(found) or "no release is recorded near it"
        return f"No region differs from {found.reference}; all moved together on {day} ({cause})."
    if any(one.verdict == "cannot tell" for one in found.regions):
        return f"Too few answers to say that {m} regions serve the same behaviour as {found.reference}."
    return f"0 of {m} regions serve a different behaviour than {found.reference}."


def _told(one: Region, first: dt.date | None) -> str:
    since = f" since {one.since.day} ({one.since.low} to {one.since.high})" if one.since else ""
    if one.since and one.since.low == first:
        since = (
            f" since {one.since.day} or before"  # the first day that was probed: it may have been so for ever
        )
    signal = next((signal for signal in one.signals if signal.name == one.strongest), None)
    if any(certain.decides for certain in one.certain):
        return f"{one.region}{since}, {one.why}"
    if signal is None or signal.low is None:
        return f"{one.region}{since}, strongest signal {one.strongest}"
    size = f"{number(signal.effect, signal.unit)} {interval(signal.low, signal.high, signal.unit)}"
    return f"{one.region}{since}, strongest signal {one.strongest}: {size}"


def _missing(found: Drift) -> str:
    told = [f"{one.region}: {one.why}" for one in found.regions if one.verdict == "cannot tell"]
    if told:
        needed = next((one.power.canary_pairs for one in found.regions if one.power), None)
        more = f" A 10 % canary needs {count(needed)} pairs a region." if needed else ""
        return f"{'; '.join(told)}.{more} {_RECIPE}"
    return ""


def figures(frames: dict[str, pl.DataFrame], found: Drift) -> dict[str, go.Figure]:
    """The strip, the forest, the distributions, who moved; keys name the exports."""
    return pictures.figures(found)


def facts(found: Drift) -> list[Fact]:
    """Certainties, tests without an interval, power, placebo, parsers."""
    return pictures.facts(found)


def tables(found: Drift) -> dict[str, pl.DataFrame]:
    """Every region's verdict, every test, and the pairs that differ most."""
    return pictures.tables(found)
