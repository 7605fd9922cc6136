"""Files into the ledger from the command line, one report a file; a file that cannot be read stops only itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from core.cli.progress import bar
from core.ingest.files import FileProblem, find_files, is_known
from core.ingest.options import ReadOptions
from core.intake import Arrival, Taken, take_path
from core.ledger.current import open_store
from core.ledger.store import Receipt, Store, StoreLocked
from core.settings import Settings
from core.uploads import receipt_text
from core.web.running import AppRefused, RunningApp, find, get, send_file


class FileReport(NamedTuple):
    """What became of one file; `problem` is empty when it could be read."""

    name: str
    receipts: Sequence[Receipt] = ()
    problem: str = ""
    skipped: bool = False
    """It lay in a folder and no format recognises it: said, but no reason to call the folder unread."""


class Sink(Protocol):
    """Where files go."""

    def latest_import(self) -> int:
        """The newest import; 0 for an empty ledger."""

    def take(self, path: Path) -> Taken:
        """Read one file in, as far as it can be read."""

    def finish(self) -> None:
        """Bring what is derived up to date."""


class FileSink:
    """The ledger file, owned by this process."""

    def __init__(self, store: Store, capture_content: bool, demo: bool) -> None:
        self._store = store
        self._options = ReadOptions(capture_content=capture_content, demo=demo)
        self._delivery_id: int | None = None

    def latest_import(self) -> int:
        """The newest import; 0 for an empty ledger."""
        return self._store.latest_import()

    def take(self, path: Path) -> Taken:
        """Read one file in, as far as it can be read."""
        arrival = Arrival("demo" if self._options.demo else "command", path.name, self._delivery_id)
        taken = take_path(self._store, path, arrival, self._options)
        self._delivery_id = taken.delivery_id
        return taken

    def finish(self) -> None:
        """Derive calls, attempts and runs."""
        self._store.derive()


class AppSink:
    """The running app, over its local API; it derives by itself."""

    def __init__(self, app: RunningApp, demo: bool = False) -> None:
        self._app = app
        self._demo = demo
        self._delivery_id = 0

    def latest_import(self) -> int:
        """The newest import; 0 for an empty ledger."""
        return int(get(self._app, "/readyz")["latest_import"])

    def take(self, path: Path) -> Taken:
        """Send one file; the problem is in the app's words when it refuses."""
        try:
            answer = send_file(self._app, path, path.name, self._delivery_id, self._demo)
        except AppRefused as refused:
            return Taken([], str(refused))
        receipts = [Receipt(**receipt) for receipt in answer["receipts"]]
        self._delivery_id = int(answer["delivery_id"])
        return Taken(receipts, "", int(answer["file_id"]), self._delivery_id)

    def finish(self) -> None:
        """Nothing: the app looks for new imports itself."""


def ingest_paths(sink: Sink, paths: Sequence[Path]) -> list[FileReport]:
    """Read files and folders, in order, with progress on stderr."""
    reports: list[FileReport] = []
    files: list[Path] = []
    for path in paths:
        try:
            found = find_files(path)
        except FileProblem as problem:
            reports.append(FileReport(str(path), problem=str(problem)))
            continue
        known = [one for one in found if one == path or is_known(one)]
        reports += [FileReport(one.name, skipped=True) for one in found if one not in set(known)]
        files += known
    step = bar("Reading", len(files))
    rows = 0
    for done, path in enumerate(files):
        step(done, f"{rows:,} rows, {path.name}")
        taken = sink.take(path)
        reports.append(FileReport(path.name, taken.receipts, taken.problem))
        rows += total(reports[-1:], "rows_read")
    sink.finish()
    step(len(files), f"{rows:,} rows")
    return reports


def total(reports: Sequence[FileReport], column: str) -> int:
    """The sum of one receipt column over files."""
    return sum(getattr(receipt, column) for report in reports for receipt in report.receipts)


def report_text(report: FileReport) -> str:
    """One line for one file."""
    if report.skipped:
        return f"{report.name}: skipped, no known format recognises the content."
    if report.problem:
        return (
            report.problem if report.problem.startswith(report.name) else f"{report.name}: {report.problem}"
        )
    return f"{report.name}: {receipt_text(report.receipts)}"


def summary(reports: Sequence[FileReport]) -> str:
    """One line for all files."""
    accepted = total(reports, "rows_accepted")
    refused = total(reports, "rows_quarantined")
    unread = sum(1 for report in reports if report.problem)
    skipped = sum(1 for report in reports if report.skipped)
    read = len(reports) - unread - skipped
    words = [f"{accepted:,} rows accepted from {read} files" if accepted else "nothing new"]
    if refused:
        words.append(f"{refused:,} rows in quarantine")
    if skipped:
        words.append(f"{skipped} files skipped")
    if unread:
        words.append(f"{unread} files not read to the end")
    return ", ".join(words)


@contextmanager
def opened_sink(settings: Settings, demo: bool) -> Iterator[Sink]:
    """Where files go: the ledger, or the app that owns it."""
    try:
        store = open_store(settings)
    except StoreLocked:
        app = find(settings.data_dir, settings.client_token)
        sys.stderr.write(
            f"The running app (process {app.pid}) owns the ledger; sending the files to {app.address}.\n"
        )
        yield AppSink(app, demo)
        return
    try:
        yield FileSink(store, settings.capture_content, demo)
    finally:
        store.close()
