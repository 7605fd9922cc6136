"""`python -m tests.bench.forecasts`: the league of forecasters over the public series and a planted one, as tables.

WAPE over four weeks ahead from past days two weeks apart (at most 22 origins), coverage of the 90 % interval, and
milliseconds of a fit; OPENBLAS_NUM_THREADS=1 keeps small fits from waiting for each other. Needs ../shared; series
that are absent are left out with a line that says so.
"""

from __future__ import annotations

import time
from functools import partial

import _pytest.outcomes
import polars as pl

from core.stats.backtest import Backtest
from core.stats.calendar_terms import Place
from core.stats.challengers import SLOW
from core.stats.demand_breaks import accept, propose_breaks
from core.stats.region_forecast import forecast_region
from tests.stats.public_series import PUBLIC, frame, series, story


def main() -> None:
    """Print everything."""
    print(
        "| series | days | model | WAPE at 28 days | inside 90 % | forecasts | ms a fit |\n|---|---|---|---|---|---|---|"
    )
    for name, (load, place) in PUBLIC.items():
        try:
            league(name, load(), place)
        except _pytest.outcomes.Skipped as absent:
            print(f"| {name} | | {absent} | | | | |")
    print()
    times()
    planted()


def league(name: str, days: pl.DataFrame, place: Place) -> None:
    """One line a model, best first."""
    found = forecast_region(days, place, slow=SLOW)
    made: Backtest = found.league
    for score in sorted(made.scores, key=lambda one: one.wape if one.wape is not None else 9.0):
        wape = "" if score.wape is None else f"{score.wape:.1%}"
        inside = "" if score.coverage[1] is None else f"{score.coverage[1]:.0%}"
        used = f"**{score.model}**" if score.model == found.model else score.model
        note = f" ({score.failed} failed)" if score.failed else ""
        print(f"| {name} | {days.height:,} | {used}{note} | {wape} | {inside} | {score.origins} | "
              f"{score.fit_seconds * 1000:.1f} |", flush=True)  # fmt: skip
    if not found.state.holds:
        print(f"| {name} | {days.height:,} | *{found.state.reason}* | | | | |")


def times() -> None:
    """What a page waits for: one region's forecast with its league, and its proposals."""
    print("| days | forecast with league, CPU ms | proposals, CPU ms |\n|---|---|---|")
    place = Place("eu", "Europe/Berlin", "DE")
    for length in (90, 365, 730):
        first, tokens, _ = story(length, 1)
        days = frame(first, tokens[:length])
        taken = []
        history = series(first, tokens[:length])
        for run in (partial(forecast_region, days, place), partial(propose_breaks, history, place)):
            runs = []
            for _ in range(5):
                began = time.process_time()
                run()
                runs.append((time.process_time() - began) * 1000)
            taken.append(min(runs))
        print(f"| {length} | {taken[0]:.0f} | {taken[1]:.0f} |", flush=True)
    print()


def planted(worlds: int = 20) -> None:
    """40 % less over three of the last four weeks: what the trailing average and the forecast miss by."""
    print(
        "| planted days | trailing average | without the break | with the proposed break | largest |\n|---|---|---|---|---|"
    )
    place = Place("eu", "Europe/Berlin")
    for length in (90, 200, 364):
        misses = []
        for seed in range(worlds):
            first, seen, normal = story(length, seed)
            days, truth = frame(first, seen[:length]), normal[length:].sum()
            named = [
                accept(one, one.start.isoformat())
                for one in propose_breaks(series(first, seen[:length]), place).proposals
            ]
            blind, told = forecast_region(days, place), forecast_region(days, place, named)
            misses.append([one.sum() / truth - 1 for one in (told.trailing, blind.expected, told.expected)])
        mean = [sum(column) / worlds for column in zip(*misses, strict=True)]
        size = sum(abs(row[2]) for row in misses) / worlds
        largest = max(abs(row[2]) for row in misses)
        print(f"| {length} | {mean[0]:+.1%} | {mean[1]:+.1%} | ±{size:.1%} | {largest:.1%} |", flush=True)


if __name__ == "__main__":
    main()
