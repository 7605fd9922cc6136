"""Prometheus text as servers write it: two scrapes of one gateway, a minute apart."""

from __future__ import annotations

FAMILY = "http_server_request_duration_seconds"
BOUNDS = (0.5, 5.0, 10.0)


def histogram(
    counts: tuple[int, ...], total: float, name: str = FAMILY, labels: str = 'route="/chat"'
) -> str:
    """A histogram's lines; `counts` between the bounds, the last above them all."""
    upto = [sum(counts[: place + 1]) for place in range(len(counts))]
    edges = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    rows = [f'{name}_bucket{{{labels},le="{edge}"}} {n}' for edge, n in zip(edges, upto, strict=True)]
    return (
        "\n".join([*rows, f"{name}_sum{{{labels}}} {total}", f"{name}_count{{{labels}}} {upto[-1]}"]) + "\n"
    )


SCRAPES = (
    f"# HELP {FAMILY} Duration of HTTP server requests.\n# TYPE {FAMILY} histogram\n"
    "# scraped_at 2026-11-20T10:00:00Z job=gateway instance=gw-1\n"
    + histogram((4, 3, 2, 1), 31.5)
    + "# TYPE process_open_fds gauge\nprocess_open_fds 42\n"
    '# TYPE requests counter\nrequests_total{code="200"} 10\n'
    "# scraped_at 2026-11-20T10:01:00Z job=gateway instance=gw-1\n" + histogram((5, 5, 3, 2), 60.0)
)
