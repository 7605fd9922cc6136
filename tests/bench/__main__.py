"""`make bench`: print the tables of docs/benchmarks.md for this machine. SIZE=10M adds the large ledgers.

`python -m tests.bench viewers` measures twenty viewers instead, `python -m tests.bench board 10M` the board of one size alone,
`python -m tests.bench growth` how time and memory grow to 54 million spans (12 GB of disk).
BENCH_LEDGER names a folder with a ready demo ledger, BENCH_DIR the folder for what is built.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from core.ledger.store import Store
from tests.bench import growth, ingest, pages, viewers
from tests.browser.reader import chromium

SPANS = 100_000
REPEATS = {"0.3M": 1, "1M": 4, "10M": 34}


def main(sizes: list[str]) -> None:
    """Ingest, deriving, questions and pages; each printed as soon as it is known."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {memory} GiB, Python {platform.python_version()}, "
          f"load {os.getloadavg()[0]:.1f} at the start\n")  # fmt: skip
    print_ingest()
    with tempfile.TemporaryDirectory(prefix="trueup-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        began = time.perf_counter()
        demo = pages.demo_ledger(Path(folder) / "demo")
        print(f"demo of {pages.DEMO_SPANS:,} spans made and read: {time.perf_counter() - began:.0f} s\n")
        print_derive(demo, Path(folder) / "derive")
        print("| spans | page | visit | first figure s | first chart s | whole page s | app's memory MiB |")
        print("|---|---|---|---|---|---|---|")
        with chromium() as browser:
            for size in sizes:
                ledger = pages.grown(demo, Path(folder) / size, REPEATS[size])
                for one in pages.visits(browser, ledger, Path(folder) / "log"):
                    seconds = " | ".join(f"{at:.2f}" for at in (one.figure_s, one.chart_s, one.whole_s))
                    print(
                        f"| {one.spans:,} | {one.page} | {one.state} | {seconds} | {one.rss_mib} |",
                        flush=True,
                    )
                shutil.rmtree(ledger)


def print_ingest() -> None:
    """Four senders of 512 spans into a running app."""
    one = ingest.measure(SPANS)
    print(
        "| load | spans | committed/s | queryable/s | CPU µs/span | bytes/span on disk | request p50 / p95 ms | peak MiB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print(f"| {one.load} | {one.spans:,} | {one.committed_per_s:,.0f} | {one.queryable_per_s:,.0f} | {one.cpu_us_per_span:.0f} | "
          f"{one.bytes_per_span:.0f} | {one.p50_ms:.0f} / {one.p95_ms:.0f} | {one.rss_mib} |\n", flush=True)  # fmt: skip


def ready_demo(folder: Path) -> Path:
    """A copy of the ledger that BENCH_LEDGER names, else the demo of `make run`."""
    if "BENCH_LEDGER" in os.environ:
        return Path(shutil.copytree(os.environ["BENCH_LEDGER"], folder))
    return pages.demo_ledger(folder)


def print_board(size: str) -> None:
    """The board of one size: asking every audit with nothing kept, then visits that read what is kept."""
    with tempfile.TemporaryDirectory(prefix="trueup-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        demo = ready_demo(Path(folder) / "demo")
        ledger = pages.grown(demo, Path(folder) / size, REPEATS[size])
        shutil.rmtree(demo)
        with chromium() as browser:
            one = pages.board(browser, ledger, Path(folder) / "log")
    print(
        f"{one.spans:,} spans: every audit asked in {one.asked_s:.1f} s, {one.asked_rss_mib} MiB at its highest, "
        f"{one.asked_whole_mib} with its workers\n"
    )
    print("| visit | first row s | whole board s | app's memory MiB |\n|---|---|---|---|")
    for visit in one.visits:
        print(f"| {visit.state} | {visit.chart_s:.2f} | {visit.whole_s:.2f} | {visit.rss_mib} |")


def print_viewers() -> None:
    """Twenty viewers over the demo of `make run` while spans come in."""
    with tempfile.TemporaryDirectory(prefix="trueup-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        demo = ready_demo(Path(folder) / "demo")
        one = viewers.measure(demo, Path(folder) / "log")
    print("| page | changes of scope | p50 s | p95 s |\n|---|---|---|---|")
    for page in ("", *dict.fromkeys(change.page for change in one.changes)):
        count = sum(page in ("", change.page) for change in one.changes)
        p50, p95 = (viewers.quantile_s(one.changes, share, page) for share in (0.5, 0.95))
        print(f"| {page or 'all'} | {count} | {p50:.2f} | {p95:.2f} |")
    print(f"\n{viewers.VIEWERS} viewers for {one.wall_s:.0f} s, {one.spans:,} spans sent meanwhile; "
          f"{one.cpu_s:.0f} s of CPU of the app and its workers; the app's memory: "
          f"{one.rss_before_mib} MiB before, {one.rss_peak_mib} MiB at its highest")  # fmt: skip


def print_growth() -> None:
    """Every size of the growth, and its picture in docs/."""
    found = []
    print(
        "| spans | every audit asked s | board again s | retry ledger again s | MiB while asked | with workers | "
        "MiB with pages | file MiB | committed/s | queryable/s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="trueup-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        demo = ready_demo(Path(folder) / "demo")
        for times in growth.REPEATS:
            ledger = pages.grown(demo, Path(folder) / f"times-{times}", times)
            with chromium() as browser:
                one = growth.measured(browser, ledger, Path(folder) / "log")
            shutil.rmtree(ledger)
            seconds = " | ".join(f"{at:.2f}" for at in (one.asked_s, one.board_s, one.retries_s))
            print(
                f"| {one.spans:,} | {seconds} | {one.asked_mib:,} | {one.whole_mib:,} | {one.pages_mib:,} | {one.file_mib:,} | "
                f"{one.committed_per_s:,.0f} | {one.queryable_per_s:,.0f} |",
                flush=True,
            )
            found.append(one)
    growth.draw(found)


def print_derive(demo: Path, folder: Path) -> None:
    """Deriving every call of the demo anew, in one go."""
    shutil.copytree(demo, folder)
    store = Store.open(folder / "trueup.duckdb")
    cursor = store._file.connection.cursor()
    for table in ("runs", "calls", "attempts", "derivations"):
        cursor.execute(f"delete from {table}")
    cursor.close()
    spans = int(store.ask("select count(*) from spans").item())
    cpu, wall = time.process_time(), time.perf_counter()
    store.derive()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    store.close()
    print(f"derived {spans:,} spans in {wall:.1f} s, {cpu / spans * 1e6:.0f} µs CPU a span\n", flush=True)


if __name__ == "__main__":
    for name, printed in (("viewers", print_viewers), ("growth", print_growth)):
        if sys.argv[1:] == [name]:
            printed()
            sys.exit()
    only_board = sys.argv[1:2] == ["board"]
    wanted = sys.argv[2:] if only_board else sys.argv[1:] or ["0.3M", "1M"]
    unknown = [size for size in wanted if size not in REPEATS]
    if unknown or (only_board and len(wanted) != 1):
        told = f"There is no size {unknown[0]}." if unknown else "Name one size."
        sys.exit(f"{told} Sizes: {', '.join(REPEATS)}; or: viewers, growth, board SIZE.")
    if only_board:
        print_board(wanted[0])
    else:
        main(wanted)
