"""What the trace files say, read back by the official classes, against what the truth says was written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from data.demo import generate
from data.demo.plan import DAY_NS, SERVICES, day_start_ns, first_day
from tests.demo import recount
from tests.demo.conftest import World
from tests.demo.recount import Seen

CALL_NAMES = {
    "checkout-agent": "chat ",
    "support-triage": "chat ",
    "doc-extract": "chat ",
    "returns-agent": "anthropic.chat",
    "search-rerank": "openai.chat",
    "kb-answer": "ChatCompletion",
    "web-chat": "ai.generateText",
}
"""How a service's spans of a logical call begin; each is counted once."""


@pytest.fixture(scope="module")
def spans(loud: World) -> list[Seen]:
    return recount.all_spans(loud.files)


def is_call(span: Seen) -> bool:
    name = CALL_NAMES[span.service]
    return span.name == name if span.service == "web-chat" else span.name.startswith(name)


def by_service(loud: World, column: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in loud.truth["rows"]:
        counts[row["service"]] += row[column]
    return dict(counts)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = generate(tmp_path / "a", 1_500, days=20)
    second = generate(tmp_path / "b", 1_500, days=20)
    assert [p.name for p in first] == [p.name for p in second]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    first = generate(tmp_path / "a", 1_500, days=20)
    other = generate(tmp_path / "b", 1_500, seed=8, days=20)
    assert first[0].read_bytes() != other[0].read_bytes()


def test_the_truth_must_not_lie_among_the_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="truth_dir is out_dir"):
        generate(tmp_path, 100, days=2, truth_dir=tmp_path)


def test_progress_rises_to_one(tmp_path: Path) -> None:
    seen: list[float] = []
    generate(tmp_path, 500, days=5, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_protobuf_has_no_field_the_schema_does_not_know(loud: World) -> None:
    path = next(path for path in loud.files if path.suffix == ".pb")
    request = ExportTraceServiceRequest.FromString(path.read_bytes())
    spans = [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
    assert len(spans) > 50
    for span in spans:
        assert len(UnknownFieldSet(span)) == 0
        assert all(len(UnknownFieldSet(pair.value)) == 0 for pair in span.attributes)
        assert span.flags == 256


def test_span_counts_equal_the_truth(loud: World, spans: list[Seen]) -> None:
    damaged = [s for s in spans if len(s.trace_id) != 32]
    resent_files = set(loud.truth["files"]["resent"])
    once = [s for s in spans if s.file not in resent_files and len(s.trace_id) == 32]
    assert len(recount.distinct(spans)) == loud.truth["totals"]["spans"]
    assert len(once) == loud.truth["totals"]["spans"] + loud.truth["totals"]["resent_spans"]
    assert len(damaged) >= loud.truth["files"]["damaged_spans"] == loud.truth["planted"]["damaged_spans"]


def test_the_number_of_spans_is_about_the_number_asked_for(loud: World) -> None:
    assert loud.truth["totals"]["spans"] == pytest.approx(20_000, rel=0.03)


def test_sends_equal_the_http_spans_where_there_are_any(loud: World, spans: list[Seen]) -> None:
    sends = Counter(s.service for s in recount.distinct(spans) if s.is_send)
    expected = by_service(loud, "sends")
    assert "search-rerank" not in sends
    assert dict(sends) == {name: count for name, count in expected.items() if name != "search-rerank"}


def test_calls_equal_the_model_spans(loud: World, spans: list[Seen]) -> None:
    calls = Counter(s.service for s in recount.distinct(spans) if is_call(s))
    assert dict(calls) == by_service(loud, "calls")


def test_vercel_has_one_generation_an_attempt(loud: World, spans: list[Seen]) -> None:
    attempts = [s for s in recount.distinct(spans) if s.name == "ai.generateText.doGenerate"]
    assert len(attempts) == by_service(loud, "sends")["web-chat"]


def test_declared_counts_equal_the_sends(loud: World, spans: list[Seen]) -> None:
    seen = recount.distinct(spans)
    native = [s for s in seen if s.scope == "com.anthropic.sdk.python"]
    resends = sum(s.attributes.get("http.request.resend_count", 0) for s in native)
    assert len(native) + resends == by_service(loud, "sends")["doc-extract"]
    header = "http.request.header.x_stainless_retry_count"
    retried = [s for s in seen if s.attributes.get(header, ["0"]) != ["0"]]
    assert len(retried) == by_service(loud, "sdk_retries")["support-triage"]


def test_double_telling_is_as_planted(loud: World, spans: list[Seen]) -> None:
    seen = recount.distinct(spans)
    again = sum(s.name in {"anthropic.messages.create", "ChatOpenAI"} for s in seen)
    assert again == loud.truth["totals"]["double_counted_calls"]


def test_outcomes_equal_the_truth(loud: World) -> None:
    totals = loud.truth["totals"]
    assert recount.outcomes(loud.files) == {1.0: totals["converted"], 0.0: totals["not_converted"]}
    assert totals["converted"] + totals["not_converted"] + totals["outcome_unknown"] == totals["runs"]


def test_spans_lie_in_time_and_inside_their_parents(spans: list[Seen]) -> None:
    start, end = day_start_ns(first_day(90)), day_start_ns(first_day(90)) + 90 * DAY_NS
    seen = {(s.trace_id, s.span_id): s for s in recount.distinct(spans)}
    for span in seen.values():
        assert start <= span.start_ns < span.end_ns < end
        parent = seen.get((span.trace_id, span.parent_id))
        if parent is not None:
            # JavaScript starts a span on a whole millisecond.
            assert parent.start_ns - 1_000_000 <= span.start_ns
            assert span.end_ns <= parent.end_ns


def test_children_stand_before_their_parents_unless_late(loud: World, spans: list[Seen]) -> None:
    files = {path.name: position for position, path in enumerate(loud.files)}
    first_seen: dict[tuple[str, str], int] = {}
    for span in spans:
        first_seen.setdefault((span.trace_id, span.span_id), files[span.file])
    roots = [s for s in recount.distinct(spans) if not s.parent_id]
    late = 0
    by_trace: dict[str, int] = {}
    for (trace_id, _), position in first_seen.items():
        by_trace[trace_id] = min(by_trace.get(trace_id, position), position)
    for root in roots:
        late += first_seen[(root.trace_id, root.span_id)] > by_trace[root.trace_id]
    assert late == loud.truth["totals"]["late_roots"]
    lost = len({s.trace_id for s in recount.distinct(spans)}) - len(roots)
    assert lost == loud.truth["totals"]["lost_roots"]


def test_the_resent_file_is_another_file_with_the_same_bytes(loud: World) -> None:
    by_name = {path.name: path for path in loud.files}
    for name in loud.truth["files"]["resent"]:
        assert by_name[name].read_bytes() == by_name[name.replace("-resent", "")].read_bytes()


def test_the_storm_stands_out_where_it_was_planted(loud: World, spans: list[Seen]) -> None:
    planted = loud.truth["planted"]
    midnight = day_start_ns(first_day(90))
    inside, outside = [0, 0], [0, 0]
    for span in recount.distinct(spans):
        if span.is_send:
            day = (span.start_ns - midnight) // DAY_NS
            storm = span.region == planted["storm_region"] and day in range(*planted["storm_days"])
            count = inside if storm else outside
            count[0] += 1
            count[1] += not 0 < span.http_status < 400
    assert inside[1] / inside[0] > 0.2
    assert outside[1] / outside[0] < 0.06


def test_the_quiet_world_has_no_failure(quiet: World) -> None:
    spans = recount.all_spans(quiet.files)
    assert all(s.status < 2 for s in spans)
    assert all(s.http_status == 200 for s in spans if s.is_send)
    assert len(recount.distinct(spans)) == len(spans) == quiet.truth["totals"]["spans"]
    zero = ("failed_calls", "failed_sends", "sdk_retries", "app_retries", "fallbacks", "broken_streams",
            "hidden_requests", "failed_tools", "resent_spans", "late_roots", "lost_roots")  # fmt: skip
    assert {name: quiet.truth["totals"][name] for name in zero} == dict.fromkeys(zero, 0)
    assert not any("resent" in path.name or "restated" in path.name for path in quiet.files)


def test_shares_of_services_add_up() -> None:
    assert sum(service.share for service in SERVICES) == pytest.approx(1)
