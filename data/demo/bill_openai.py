"""OpenAI's organization usage and costs pages, as the admin API returns them: one page a month, daily buckets.

Shapes: /v1/organization/usage/completions and /v1/organization/costs with group_by project_id and model or
line_item. The amounts are written with all their digits; the real API rounds to doubles.
"""

from __future__ import annotations

import json
from pathlib import Path

from data.demo.charges import Charge, Charges, Key
from data.demo.plan import DAY_NS
from data.demo.prices import amounts, money, token_prices

DAY_S = DAY_NS // 1_000_000_000
ORGANIZATION = "org-northwind"


def _usage_row(key: Key, charge: Charge) -> str:
    fresh, cached, _, output = charge.tokens
    row = {
        "object": "organization.usage.completions.result",
        "input_tokens": fresh + cached,
        "input_cached_tokens": cached,
        "input_cache_write_tokens": 0,
        "input_uncached_tokens": fresh,
        "output_tokens": output,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": charge.requests,
        "project_id": key.project,
        "user_id": None,
        "api_key_id": None,
        "model": key.model.snapshot,
        "batch": None,
        "service_tier": None,
    }
    return json.dumps(row)


def _cost_rows(key: Key, charge: Charge) -> list[str]:
    prices = token_prices(key.model, key.day)
    rows = []
    lines = ("input", "cached input", "cache write", "output")
    for line, tokens, amount in zip(lines, charge.tokens, amounts(charge.tokens, prices), strict=True):
        if tokens:
            rows.append(_cost_row(f"{key.model.snapshot}, {line}", key.project, money(amount), tokens))
    return rows


def _cost_row(line_item: str, project: str, value: str, tokens: int) -> str:
    """`value` is put in as written, so that a Decimal keeps its digits."""
    return (
        f'{{"object": "organization.costs.result", "amount": {{"value": {value}, "currency": "usd"}}, '
        f'"line_item": "{line_item}", "project_id": "{project}", "organization_id": "{ORGANIZATION}", '
        f'"api_key_id": null, "quantity": {tokens}, "quantity_unit": "tokens"}}'
    )


def damaged_cost_row(number: int) -> str:
    """A row whose amount nobody can read."""
    return _cost_row(f"gpt-5-mini-2025-08-07, input {number}", "proj_support", '"pending"', 1000)


def _page(days: list[tuple[int, list[str]]]) -> str:
    buckets = [
        f'{{"object": "bucket", "start_time": {day * DAY_S}, "end_time": {(day + 1) * DAY_S}, '
        f'"results": [{", ".join(rows)}]}}'
        for day, rows in days
    ]
    return '{"object": "page", "data": [' + ",\n".join(buckets) + '], "has_more": false, "next_page": null}\n'


def write_openai(
    out_dir: Path, label: str, charges: Charges, days: list[int], damaged: dict[int, list[str]]
) -> list[Path]:
    """Two files: usage and costs of the given days; damaged: extra cost rows by day."""
    usage: dict[int, list[str]] = {day: [] for day in days}
    costs: dict[int, list[str]] = {day: [] for day in days}
    for key in sorted(charges):
        if key.bill == "openai" and key.day in usage:
            usage[key.day].append(_usage_row(key, charges[key]))
            costs[key.day] += _cost_rows(key, charges[key])
    for day, rows in damaged.items():
        if day in costs:
            costs[day] += rows
    paths = [out_dir / f"openai-usage-{label}.json", out_dir / f"openai-costs-{label}.json"]
    paths[0].write_text(_page([(day, usage[day]) for day in days]))
    paths[1].write_text(_page([(day, costs[day]) for day in days]))
    return paths
