"""Which bill files there are: a month a file, the spend log as it grows, and one day restated afterwards."""

from __future__ import annotations

from pathlib import Path

from data.demo.bill_focus import month_of, write_focus
from data.demo.bill_litellm import damaged_rows
from data.demo.bill_openai import damaged_cost_row, write_openai
from data.demo.charges import Books, first_version
from data.demo.plan import Plan, first_day_number


def append_spend_log(out_dir: Path, month: str, rows: list[str], paths: list[Path]) -> None:
    """Add a day's rows to the month's spend log; `paths` collects the logs begun."""
    if not rows:
        return
    path = out_dir / f"litellm-spend-{month}.jsonl"
    begun = path in paths
    with path.open("a" if begun else "w", encoding="utf-8") as stream:
        stream.writelines(f"{row}\n" for row in rows)
    if not begun:
        paths.append(path)


def write_bills(out_dir: Path, plan: Plan, books: Books, spend_logs: list[Path]) -> list[Path]:
    """Write every bill; returns them in ingest order, the restated day last."""
    start = first_day_number(plan.days)
    days = list(range(start, start + plan.days))
    months = sorted({month_of(day) for day in days})
    broken_month = months[len(months) // 2]
    first = first_version(books)
    out: list[Path] = []
    for month in months:
        of_month = [day for day in days if month_of(day) == month]
        number = plan.damaged_bill_rows if month == broken_month else 0
        damaged = {of_month[-1]: [damaged_cost_row(index) for index in range(number)]}
        out += write_openai(out_dir, month, first, of_month, damaged)
        path = out_dir / f"anthropic-focus-{month}.csv"
        write_focus(path, books.final, month, number)
        out.append(path)
    if spend_logs and plan.damaged_bill_rows:
        with spend_logs[-1].open("a", encoding="utf-8") as stream:
            stream.writelines(f"{row}\n" for row in damaged_rows(plan.damaged_bill_rows))
    out += spend_logs
    if plan.restated_day >= 0:
        day = start + plan.restated_day
        out += write_openai(out_dir, f"{month_of(day)}-restated", books.final, [day], {})
    return out
