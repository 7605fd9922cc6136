"""Is the line that goes up still buying the thing we want?

How: Two arms on one axis of checkpoints: the proxy (scores of a reward model, else thumbs) and the outcome (success on
fixed test items, else outcomes of runs). Each arm's slope is measured within a test item, a prompt, or a region and
service, so another mix of tasks or users cannot move it, with errors that keep a cluster whole. Decoupled means: the
proxy rises and the outcome falls, both beyond their boundary (an intersection-union test: each at 5 %, no correction
across the two). Every checkpoint is a look, and looks are paid for by spending the 5 % evenly over 26 of them. Coupled
means that the whole interval of the outcome's change lies above the limit. Decoupling is a warning: the proxy rises and
the outcome falls at a single look's 5 %, or the reward tells right from wrong worse than at the base. Beside it stand
the area under the ROC curve within prompts, what the reward pays for, the rise of its mean in parts that sum, who rates
at all, and human labels narrowed by a judge. A judge is never averaged with people.

Assumes: Test items, prompts and users are independent of each other; checkpoints come in order. A price is an
association: a feature that comes with what the reward likes is paid for it. Nothing here foretells a drop; the early
signals say what has changed already. The date supposes one step or one bend.

Source: Berger 1982 (intersection-union); Lan & DeMets 1983 (spending); Liang & Zeger 1986; Miller 2024; Jann 2008;
Manski 1990; Angelopoulos et al. 2023 (PPI++); Gao et al. 2022; docs/decisions/018-reward-and-outcome.md.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import plotly.graph_objects as go
import polars as pl

from core.audit import Ask, Choice, Count, Fact, Finding, Need, Scope, Status, TooLittle, limit_choice
from core.audits import reward_vs_outcome_facts as words
from core.audits import reward_vs_outcome_figures as pictures
from core.audits import reward_vs_outcome_measure as arms
from core.audits import reward_vs_outcome_signals as signals
from core.audits.reward_vs_outcome_measure import Arm, Checkpoint, Placebo
from core.audits.reward_vs_outcome_sql import (
    CHECKPOINTS,
    ELIGIBLE,
    EVALS,
    MOST_ROWS,
    RATINGS,
    RATINGS_SIZE,
    RESPONSES,
    RESPONSES_SIZE,
)

SEED = arms.SEED
TITLE = "Reward that stopped meaning outcome"
SECTION = "What people actually got"
REPORTED = "change of the reward or the thumbs since the base checkpoint"
SUPPORTED = "change of the outcome they stand for"
LIMIT = 0.02
"""Two points: a fall that most release checklists would stop, and about what 1,000 paired test items can show."""

CHOICES = (
    Choice(
        "since", "Compare since", ("first", "range"), "first",
        "first: the first checkpoint on record; range: the checkpoint in force when the range begins.",
    ),
    Choice(
        "proxy", "Line that goes up", ("auto", "reward", "ratings"), "auto",
        "auto: reward scores where there are any, else ratings.",
    ),
    Choice(
        "outcome", "Outcome it stands for", ("auto", "evals", "outcomes"), "auto",
        "auto: fixed test items where there are any, else outcomes of runs.",
    ),
    limit_choice(
        "Fall that would matter", ("0.01", "0.02", "0.05", "0.10"), LIMIT,
        "Share by which the outcome may fall.",
    ),
)  # fmt: skip

CAPTIONS = {
    "reward_divergence": "Proxy above, outcome below, each on its own scale, with 95 % intervals; shaded since they parted.",
    "reward_tells_right_from_wrong": "Chance that of a right and a wrong answer to one prompt the right one scores higher.",
    "reward_price_list": "What the reward pays for one more of each, right answers controlled for, with 95 % intervals.",
    "reward_rise": "The rise of the mean reward, by what it pays for; the parts sum to it.",
    "reward_by_divergence": "Reward and outcome against the square root of the divergence from the reference policy.",
    "reward_response_rate": "Share of runs that anybody rated: thumbs are self-selected.",
    "reward_pair_prices": "What those who chose between two answers pay for, in log odds, with 95 % intervals.",
}

NEEDS = (
    Need(
        "eval_samples.verdict", "the outcome, on fixed test items",
        "Give eval logs on the data page: docs/formats.md lists Inspect, lm-eval, promptfoo and others.", required=False,
    ),
    Need(
        "responses.reward", "the line that goes up",
        "Give a features file: `python -m core template features` prints one.", required=False,
    ),
    Need(
        "outcomes.value", "thumbs, or outcomes of runs",
        "Send gen_ai.evaluation.result events, or a file: `python -m core template outcomes`.", required=False,
    ),
    Need(
        "change_events.at_ns", "when each checkpoint came into force; else they are ordered by their first rows",
        "Give a file of changes: `python -m core template changes`.", required=False,
    ),
)  # fmt: skip

SQL = {
    "checkpoints": CHECKPOINTS, "evals": EVALS, "responses": RESPONSES, "ratings": RATINGS, "eligible": ELIGIBLE,
    "responses_size": RESPONSES_SIZE, "ratings_size": RATINGS_SIZE,
}  # fmt: skip
_HOW_OUTCOME = "Give eval logs of every checkpoint on the same items, or outcomes named task_success."
_HOW_PROXY = (
    "Give reward scores (`python -m core template features`) or thumbs (`python -m core template outcomes`)."
)


class Divergence(NamedTuple):
    """Everything measured; positions count checkpoints from the base, which is 0."""

    checkpoints: tuple[Checkpoint, ...]
    proxy: Arm
    outcome: Arm
    verdict: str
    """coupled, decoupling, decoupled, cannot tell."""
    limit: float
    placebo: Placebo
    tellings: tuple[signals.Telling, ...]
    prices: signals.PriceList | None
    pairs: signals.PairPrices | None
    responses: tuple[signals.Response, ...]
    judged: tuple[signals.Judged, ...]
    sampled: float
    """Share of prompts and users that were read: 1 unless there were too many."""


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """One frame a question; whole prompts and users are sampled where there are more than MOST_ROWS rows."""
    until = dt.datetime.combine(scope.end + dt.timedelta(days=1), dt.time(), dt.UTC)
    parameters = scope.parameters() | {"until_ns": round(until.timestamp()) * arms.NS}
    frames = {name: ask(SQL[name], **parameters) for name in ("checkpoints", "evals", "eligible")}
    for name in ("responses", "ratings"):
        size = frames[f"{name}_size"] = ask(SQL[f"{name}_size"], **parameters)
        part = min(1.0, MOST_ROWS / max(size.item(), 1))
        keep = "g" if part == 1 else f"{int(part * 65_536):04x}"  # any md5 begins before "g"
        frames[name] = ask(SQL[name], **parameters, keep=keep)
    return frames


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Divergence | TooLittle:
    """Both arms and what stands beside them; too little where either arm has no trend to measure."""
    frames = {name: rows.sort(rows.columns) for name, rows in frames.items()}
    start = dt.datetime.combine(scope.start, dt.time(), dt.UTC)
    since = round(start.timestamp()) * arms.NS if scope.choice("since", "first") == "range" else None
    checkpoints = arms.checkpoints_of(frames, since)
    outcome = _chosen(frames, checkpoints, scope.choice("outcome", "auto"), "evals", "outcomes")
    proxy = _chosen(frames, checkpoints, scope.choice("proxy", "auto"), "reward", "ratings")
    missing = _missing(frames, checkpoints, proxy, outcome)
    if missing is not None or proxy is None or outcome is None:
        return missing or TooLittle("responses.reward", _HOW_PROXY)
    up, out = (arms.arm(rows, len(checkpoints)) for rows in (proxy, outcome))
    if up is None or out is None:
        return _no_trend(proxy if up is None else outcome)
    limit = scope.limit(LIMIT)
    tellings = signals.tellings(frames["responses"], checkpoints)
    return Divergence(
        tuple(checkpoints), up, out, verdict(up, out, limit, signals.fell(tellings)), limit,
        arms.placebo(proxy, outcome), tellings, signals.priced(frames["responses"], checkpoints),
        signals.pair_prices(frames["responses"]),
        signals.response_rates(frames["ratings"], frames["eligible"], checkpoints),
        signals.judged(frames["ratings"], checkpoints), _sampled(frames),
    )  # fmt: skip


def _chosen(
    frames: dict[str, pl.DataFrame], checkpoints: list[Checkpoint], choice: str, first: str, second: str
) -> arms.Rows | None:
    """The rows of an arm by the page's choice; auto takes the first kind that has rows."""
    for kind in (first, second) if choice == "auto" else (choice,):
        if kind == "evals":
            rows = arms.eval_rows(frames["evals"], checkpoints)
        elif kind == "reward":
            rows = arms.reward_rows(frames["responses"], checkpoints)
        else:
            rows = arms.rating_rows(
                frames["ratings"], checkpoints, arms.THUMBS if kind == "ratings" else arms.SUCCESSES
            )
        if rows is not None:
            return rows
    return None


def _missing(
    frames: dict[str, pl.DataFrame],
    checkpoints: list[Checkpoint],
    proxy: arms.Rows | None,
    outcome: arms.Rows | None,
) -> TooLittle | None:
    n = sum(frames[name].height for name in ("evals", "responses", "ratings"))
    if len(checkpoints) < 2:
        how = "Give change events of kind checkpoint, or eval logs and reward scores that name theirs."
        return TooLittle(f"change_events: {len(checkpoints)} checkpoints, two are needed", how, n)
    if outcome is None:
        return TooLittle(
            "eval_samples.verdict, outcomes.value: no outcome at any checkpoint", _HOW_OUTCOME, n
        )
    if proxy is None:
        return TooLittle(
            "responses.reward, outcomes.value: no reward and no ratings at any checkpoint", _HOW_PROXY, n
        )
    return None


def _no_trend(rows: arms.Rows) -> TooLittle:
    what = f"{rows.name}: fewer than 20 items, prompts or users seen at two checkpoints"
    return TooLittle(what, "Run the same items at every checkpoint, or widen the range.", len(rows.x))


def _sampled(frames: dict[str, pl.DataFrame]) -> float:
    return min(1.0, *(MOST_ROWS / max(frames[f"{name}_size"].item(), 1) for name in ("responses", "ratings")))


def verdict(proxy: Arm, outcome: Arm, limit: float, tells_worse: bool) -> str:
    """The word for what both intervals say; see the docstring of the module for each.

    A fall that lies wholly inside the limit is no decoupling; a fall that the proxy shares is coupled.
    """
    rises, falls, safe = proxy.low > 0, outcome.high < 0, outcome.low > -limit
    if safe or (falls and proxy.high < 0):
        return "coupled"
    if falls:
        return "decoupled" if rises else "decoupling"
    if rises and (outcome.z <= -arms.Z_ONE_SIDED or tells_worse):
        return "decoupling"
    return "cannot tell"


STATUS: dict[str, Status] = {
    "coupled": "holds", "decoupling": "watch", "decoupled": "broken", "cannot tell": "cannot tell",
}  # fmt: skip


def judge(found: Divergence | TooLittle) -> Finding:
    """The change of the outcome is the gap: the proxy says there is none."""
    if isinstance(found, TooLittle):
        return Finding(
            "reward-vs-outcome", "cannot tell", "unknown", "unknown", None, None, None, "points", found.n,
            "Reward and outcome cannot be compared.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    missing = words.too_weak(found) if found.verdict == "cannot tell" else ""
    out = found.outcome
    return Finding(
        "reward-vs-outcome", STATUS[found.verdict], words.change(found.proxy), words.change(out), out.change, out.low,
        out.high, "points", out.n, words.sentence(found), missing, "90%, looks paid for",
    )  # fmt: skip


def figures(frames: dict[str, pl.DataFrame], found: Divergence) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    return pictures.figures(found)


def counts(found: Divergence) -> list[Count]:
    """The two changes and what this data could have shown."""
    return words.counts(found)


def facts(found: Divergence) -> list[Fact]:
    """Numbers beside the verdict, each with its interval and n."""
    return words.facts(found)


def tables(found: Divergence) -> dict[str, pl.DataFrame]:
    """Checkpoints, prices, response rates and judged shares, as rows to read and to download."""
    return words.tables(found)
