"""`python -m core demo`, `empty-demo`: a world of demo data through the ordinary ingest, and its end."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from core.cli.empty import empty_demo
from core.cli.ingest import ingest_paths, opened_sink, summary
from core.cli.progress import bar
from core.settings import Settings

SIZES = {"small": 300_000, "medium": 2_000_000}
"""Spans of the sizes that have a name."""


def add_demo(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The two commands."""
    demo = commands.add_parser("demo", parents=[shared], help="make a demo world and read it in")
    demo.add_argument("--size", type=_size, default=SIZES["small"], metavar="small|medium|N", help="spans")
    demo.add_argument("--seed", type=int, help="another number is another world")
    demo.add_argument("--quiet", action="store_true", help="a world in which nothing is wrong")
    demo.add_argument("--force", action="store_true", help="add it to a ledger that already holds data")
    demo.add_argument("--if-empty", action="store_true", help="do nothing when the ledger holds data")
    demo.set_defaults(run=run_demo)
    empty = commands.add_parser(
        "empty-demo", parents=[shared], help="delete a ledger of nothing but demo data"
    )
    empty.set_defaults(run=lambda options, settings: empty_demo(settings))


def _size(text: str) -> int:
    number = SIZES.get(text) or (int(text) if text.isascii() and text.isdigit() else 0)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not small, medium or a number of spans")
    return number


def run_demo(options: argparse.Namespace, settings: Settings) -> int:
    """`demo`: generate real-format files and read them through the ordinary ingest."""
    # Imported here: the generator is only needed by this command and lies outside core.
    from data.demo import SEED, generate

    with opened_sink(settings, demo=True) as sink:
        if sink.latest_import() > 0 and not options.force:
            if options.if_empty:
                sys.stderr.write(f"{settings.store_path} already holds data; no demo is loaded.\n")
                return 0
            sys.stderr.write(
                f"{settings.store_path} already holds data. Use --force, or --data with an empty folder.\n"
            )
            return 1
        with tempfile.TemporaryDirectory(prefix="trueup-demo-") as folder:
            step = bar("Making the demo", 100)
            paths = generate(
                Path(folder),
                spans=options.size,
                seed=SEED if options.seed is None else options.seed,
                quiet=options.quiet,
                progress=lambda share: step(round(share * 100), f"{options.size:,} spans"),
            )
            reports = ingest_paths(sink, paths)
    print(summary(reports))
    return 1 if any(report.problem for report in reports) else 0
