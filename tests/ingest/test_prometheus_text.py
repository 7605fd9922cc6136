"""Prometheus text: histograms taken apart, instants from three places, bad lines alone in quarantine."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from core.ingest.files import FileProblem, read_path, read_upload
from core.ingest.options import ReadOptions
from core.ingest.platforms.prometheus_families import counts_of
from core.ledger.batch import Batch
from core.ledger.store import Store
from tests.ingest.scrapes import FAMILY, SCRAPES, histogram

AT = 1_795_168_800_000_000_000
"""2026-11-20T10:00:00Z"""
SECOND = 10**9


def batches(text: str, name: str = "metrics.prom") -> list[Batch]:
    return list(read_upload(io.BytesIO(text.encode()), name, ReadOptions()))


def points(text: str, name: str = "metrics.prom") -> list[dict[str, object]]:
    return [row for batch in batches(text, name) for row in batch.frames["metric_points"].rows(named=True)]


def test_every_column_of_a_histogram() -> None:
    first = points(SCRAPES)[0]
    assert str(first.pop("day")) == "2026-11-20"
    assert first == {
        "name": FAMILY, "unit": "s", "kind": "histogram", "temporality": "cumulative", "monotonic": None,
        "started_at_ns": None, "at_ns": AT, "service_name": "gateway", "cloud_region": None,
        "service_instance_id": "gw-1", "value": None, "count": 10, "sum": 31.5,
        "explicit_bounds": [0.5, 5.0, 10.0],
        "bucket_counts": [4, 3, 2, 1],  # le: 4, 7, 9, 10
        "attributes": '{"route":"/chat"}',
    }  # fmt: skip


def test_counters_gauges_and_the_next_scrape() -> None:
    made = {(row["name"], row["at_ns"]): row for row in points(SCRAPES)}
    fds, requests = made[("process_open_fds", AT)], made[("requests_total", AT)]
    assert (fds["kind"], fds["value"], fds["temporality"]) == ("gauge", 42.0, None)
    assert (requests["kind"], requests["value"], requests["temporality"]) == ("sum", 10.0, "cumulative")
    later = made[(FAMILY, AT + 60 * SECOND)]
    assert (later["count"], later["bucket_counts"]) == (15, [5, 5, 3, 2])


@pytest.mark.parametrize(
    ("line", "name", "at_ns"),
    [
        ("up 1 1795168800000", "x.prom", AT),  # milliseconds: Prometheus text
        ("up 1 1795168800.5", "x.prom", AT + SECOND // 2),  # seconds: OpenMetrics
        ("up 1", "metrics-1795168800.prom", AT),
        ("up 1", "gw_1795168800000.txt", AT),
        ("up 1", "gw-2026-11-20T10-00-00Z.prom", AT),
        ("up 1", "gw-20261120T100000Z.prom", AT),
        ("# scraped_at 1795168800\nup 1", "metrics-1.prom", AT),
        ("# scraped_at 2026-11-20T11:00:00+01:00\nup 1", "x.prom", AT),
    ],
)
def test_the_instant_is_the_sample_s_else_the_comment_s_else_the_file_s(
    line: str, name: str, at_ns: int
) -> None:
    (row,) = points(f"# TYPE up gauge\n{line}\n", name)
    assert row["at_ns"] == at_ns


def test_without_any_instant_the_file_is_refused_and_told_what_to_do() -> None:
    with pytest.raises(FileProblem, match=r"line 2 of metrics\.prom has no timestamp.*# scraped_at"):
        batches("# TYPE up gauge\nup 1\n")


def test_a_federated_page_has_labels_and_types_of_its_own() -> None:
    """/federate declares everything untyped, and writes job, instance and timestamps."""
    text = f"# TYPE {FAMILY}_bucket untyped\n" + "".join(
        f'{FAMILY}_bucket{{instance="gw-2",job="gateway",le="{le}"}} {n} 1795168800000\n'
        for le, n in (("+Inf", 9), ("0.5", 2), ("5", 6))
    )
    (row,) = points(text)
    assert (row["service_name"], row["service_instance_id"], row["attributes"]) == ("gateway", "gw-2", None)
    assert (row["explicit_bounds"], row["bucket_counts"], row["sum"]) == ([0.5, 5.0], [2, 4, 3], None)


def test_created_says_when_a_series_began() -> None:
    text = SCRAPES.replace(
        "# TYPE process", f'{FAMILY}_created{{route="/chat"}} 1795168000.5\n# TYPE process'
    )
    rows = points(text)
    assert rows[0]["started_at_ns"] == 1_795_168_000_500_000_000
    assert len(rows) == len(points(SCRAPES))


def test_a_bad_line_is_kept_with_its_number_and_costs_nothing_else() -> None:
    (batch,) = batches(SCRAPES + 'up{a="b} 1\nthree words here\nup 1 99999999999999999999\n')
    assert batch.frames["metric_points"].height == 4
    assert [row.row_number for row in batch.quarantined] == [21, 22, 23]
    assert batch.rows_read == 4 + 3
    assert all(row.reason.startswith(f"Line {row.row_number}") for row in batch.quarantined)


def test_a_histogram_that_is_not_whole_is_refused_with_its_reason() -> None:
    broken = SCRAPES.replace('le="5"} 7', 'le="5"} 3')
    (batch,) = batches(broken)
    (refused,) = batch.quarantined
    assert "buckets fall" in refused.reason
    assert batch.frames["metric_points"].height == 3


def test_buckets_up_to_a_bound_become_counts_between_bounds() -> None:
    inf = float("inf")
    assert counts_of({1.0: 7, 0.5: 3, inf: 8}, None) == ([0.5, 1.0], [3, 4, 1])
    assert counts_of({1.0: 7, 0.5: 3}, 8) == ([0.5, 1.0], [3, 4, 1])  # +Inf left out: _count stands for it
    for buckets, count, why in (
        ({1.0: 7.0}, None, "neither"), ({1.0: 7.0, inf: 9.0}, 8, "_count is 8"), ({1.0: 7.5, inf: 9.0}, None, "whole"),
        ({1.0: float("nan"), inf: 9.0}, None, "whole"),
    ):  # fmt: skip
        told = counts_of(buckets, count)
        assert isinstance(told, str)
        assert why in told


def test_a_summary_is_refused_once_a_series_and_scrape() -> None:
    text = SCRAPES + '# TYPE gc summary\ngc{quantile="0.5"} 1\ngc{quantile="0.9"} 2\ngc_sum 3\ngc_count 4\n'
    (batch,) = batches(text)
    (refused,) = batch.quarantined
    assert "summary" in refused.reason
    assert batch.rows_read == 5


def test_exemplars_are_dropped_and_a_hash_in_a_label_is_not_one() -> None:
    text = SCRAPES.replace('le="5"} 7', 'le="5"} 7 # {trace_id="a"} 2.5').replace("/chat", "/a # {b}")
    rows = points(text)
    assert rows[0]["bucket_counts"] == [4, 3, 2, 1]
    assert rows[0]["attributes"] == '{"route":"/a # {b}"}'


def test_a_folder_of_scrapes_is_read_and_the_second_time_changes_nothing(tmp_path: Path) -> None:
    for minute, counts in enumerate([(4, 3, 2, 1), (5, 5, 3, 2)]):
        page = f"# TYPE {FAMILY} histogram\n" + histogram(counts, 31.5)
        (tmp_path / f"gw-1-{1_795_168_800 + 60 * minute}.prom").write_text(page)
    store = Store.open(":memory:")
    for _ in range(2):
        store.submit_many(read_path(tmp_path, ReadOptions()))
    assert store.ask("select count(*) as n, sum(count) as c from metric_points").row(0) == (2, 25)
    store.close()
