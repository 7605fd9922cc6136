"""Small traces for tests: times in milliseconds, everything else with a plain default."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from core.ledger.trace import Span

MS = 1_000_000
DAY_ONE_NS = 1_795_000_000 * 10**9


_TYPES = {
    "reported_cost_usd": pl.Decimal(24, 12),
    **dict.fromkeys(("http_status_code", "resend_count"), pl.Int32),
    **dict.fromkeys(("import_id", "started_at_ns", "ended_at_ns", "input_tokens", "output_tokens"), pl.Int64),
    **dict.fromkeys(("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"), pl.Int64),
}


def span(span_id: str, start_ms: float, end_ms: float, role: str = "inference", **fields: object) -> Span:
    """One span of trace 't'. `parent` and `status` shorten the common fields; any Span field may be given."""
    values: dict[str, object] = dict.fromkeys(Span._fields)
    values.update(
        import_id=1,
        trace_id="t",
        span_id=span_id,
        parent_span_id=fields.pop("parent", None),
        name=f"{role} {span_id}"
        if role not in ("inference", "http")
        else {"http": "POST"}.get(role, "chat m"),
        kind="client" if role in ("http", "inference") else "internal",
        scope_name="scope",
        dialect="genai",
        service_name="assist",
        started_at_ns=DAY_ONE_NS + int(start_ms * MS),
        ended_at_ns=DAY_ONE_NS + int(end_ms * MS),
        status_code=fields.pop("status", "UNSET"),
        span_role=role,
        operation={"inference": "chat", "tool": "execute_tool", "agent": "invoke_agent"}.get(role),
        provider="openai" if role == "inference" else None,
        request_model="gpt-4o-mini" if role == "inference" else None,
        url_path="/v1/chat/completions" if role == "http" else None,
        content_hash=span_id,
    )
    values.update(fields)
    return Span(**values)  # type: ignore[arg-type]


def http(
    span_id: str, start_ms: float, end_ms: float, status_code: int | None = 200, **fields: object
) -> Span:
    """One HTTP client span to a model endpoint; no status code means it timed out."""
    failed = status_code is None or status_code >= 400
    if failed:
        fields.setdefault("error_class", "timeout" if status_code is None else "server")
        fields.setdefault("status", "ERROR")
    return span(span_id, start_ms, end_ms, "http", http_status_code=status_code, **fields)


def span_frame(spans: Sequence[Span]) -> pl.DataFrame:
    """Spans as the ledger's question for them answers."""
    return pl.DataFrame(spans, {name: _TYPES.get(name, pl.String) for name in Span._fields}, orient="row")
