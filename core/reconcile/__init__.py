"""What was traced against what was billed. Two audits ask it, each with its own terms:

retry_ledger         here: `settle` a cell, `settle_all`, and the three bridges; bills.py fills both sides' cells,
                     calls.py settles call by call where the bill carries response ids
bill_reconciliation  differences.py: `split` a cell into finer terms; completeness.py: until which day a bill is final

names.py is read by both. What follows is about this module.

Every line falls in one bucket, by precedence: period cut-off > billed, not traced > traced, not billed > orphan
> unrescued > rescued > variance. A cell is one provider, model and UTC day. For each cell

    billed - expected = hidden + untraced - unbilled + price + token + undivided + cut_off

holds exactly, because each term is what is left after the ones before it; all money is Decimal.
Source: docs/decisions/003-retry-bridges.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)
LEDGER_UNIT = Decimal("1e-12")
"""The ledger's money has 12 decimals; a quotient is rounded there, and the next term takes the rest."""

Key = tuple[str, str, dt.date]
"""Provider, model, UTC day."""


class Traced(NamedTuple):
    """What the traces of one cell say. Tokens by bill type: input (uncached), cache_read, cache_write, output."""

    expected_usd: Decimal
    sure: int
    """Attempts the provider bills."""
    maybe: int = 0
    """Attempts the provider may bill: broken streams, time-outs."""
    tokens: Mapping[str, int] = {}


class Billed(NamedTuple):
    """What the bill of one cell says. `requests` is None when the bill counts none."""

    cost_usd: Decimal
    requests: int | None = None
    tokens: Mapping[str, int] = {}
    costs: Mapping[str, Decimal] = {}
    """Cost by token type; empty when cost and tokens come from different exports."""


class Period(NamedTuple):
    """First and last UTC day a provider's bill covers."""

    first: dt.date
    last: dt.date


class Settlement(NamedTuple):
    """How one cell's bill differs from its traces. Money in USD; `unbilled` counts against the invoice."""

    hidden: Decimal = ZERO
    """Billed, not traced, in a cell that has traced calls: hidden retries or a caller without traces."""
    untraced: Decimal = ZERO
    """Billed in a cell without any traced call."""
    unbilled: Decimal = ZERO
    price: Decimal = ZERO
    token: Decimal = ZERO
    undivided: Decimal = ZERO
    """Difference of a cell whose bill has neither tokens nor requests."""
    cut_off: Decimal = ZERO
    hidden_requests: int = 0
    unbilled_requests: int = 0
    maybe_requests: int = 0
    """Attempts of uncertain billability that the bill shows to be billed."""
    cut_off_requests: int = 0

    @property
    def difference(self) -> Decimal:
        """Billed minus expected: the sum of the terms."""
        terms = self.hidden + self.untraced + self.price + self.token + self.undivided + self.cut_off
        return terms - self.unbilled


def settle(traced: Traced | None, billed: Billed | None, day: dt.date, period: Period) -> Settlement:
    """Split one cell's difference into its named terms."""
    if not period.first <= day <= period.last:
        there = traced or Traced(ZERO, 0)
        return Settlement(cut_off=-there.expected_usd, cut_off_requests=-there.sure)
    if billed is None:
        there = traced or Traced(ZERO, 0)
        return Settlement(unbilled=there.expected_usd, unbilled_requests=there.sure)
    if traced is None:
        return Settlement(untraced=billed.cost_usd, hidden_requests=billed.requests or 0)
    return _variances(traced, billed)


def _variances(traced: Traced, billed: Billed) -> Settlement:
    hidden_requests, unbilled_requests, maybe_requests = _counts(traced, billed)
    counts = Settlement(
        hidden_requests=hidden_requests, unbilled_requests=unbilled_requests, maybe_requests=maybe_requests
    )
    repriced = _at_billed_prices(traced, billed)
    if repriced is None:
        return counts._replace(undivided=billed.cost_usd - traced.expected_usd)
    quantity = billed.cost_usd - repriced
    hidden = ZERO
    if hidden_requests and billed.requests:
        mean_of_excess = rounded(billed.cost_usd * hidden_requests / billed.requests)
        hidden = min(mean_of_excess, max(quantity, ZERO))
    return counts._replace(hidden=hidden, price=repriced - traced.expected_usd, token=quantity - hidden)


def _counts(traced: Traced, billed: Billed) -> tuple[int, int, int]:
    """(hidden, unbilled, maybe billed): billed = sure + maybe billed + hidden - unbilled."""
    if billed.requests is None:
        return 0, 0, 0
    over = billed.requests - traced.sure
    maybe = min(max(over, 0), traced.maybe)
    return max(over - maybe, 0), max(-over, 0), maybe


def _at_billed_prices(traced: Traced, billed: Billed) -> Decimal | None:
    """The traced quantity at the bill's unit prices: by token type, else all tokens alike, else by request."""
    used = {kind: n for kind, n in traced.tokens.items() if n}
    if used and all(billed.tokens.get(kind, 0) > 0 and kind in billed.costs for kind in used):
        parts = (billed.costs[kind] * n / billed.tokens[kind] for kind, n in used.items())
        return rounded(sum(parts, ZERO))
    tokens = sum(billed.tokens.values())
    if used and tokens > 0:
        return rounded(billed.cost_usd * sum(used.values()) / tokens)
    if billed.requests and traced.sure:
        return rounded(billed.cost_usd * traced.sure / billed.requests)
    return None


def rounded(amount: Decimal) -> Decimal:
    """To the ledger's decimals."""
    return amount.quantize(LEDGER_UNIT)


def settle_all(
    traced: Mapping[Key, Traced], billed: Mapping[Key, Billed], periods: Mapping[str, Period]
) -> dict[Key, Settlement]:
    """Settle every cell of the providers that have a bill; the order of rows cannot matter."""
    settled = {
        key: settle(traced.get(key), billed.get(key), key[2], periods[key[0]])
        for key in sorted({*traced, *billed})
        if key[0] in periods
    }
    for key in list(settled):
        for days in (-1, 1):
            beside = (key[0], key[1], key[2] + dt.timedelta(days=days))
            if beside in settled:
                settled[key], settled[beside] = _slipped(settled[key], settled[beside])
    return settled


def _slipped(over: Settlement, short: Settlement) -> tuple[Settlement, Settlement]:
    """Requests that one day has too many of and its neighbour too few: billed on the other side of midnight.

    They are cut-off on both days and cancel, with what the excess cost on one and, as far as it is there, the
    missing tokens' value on the other.
    """
    n = min(over.hidden_requests, short.unbilled_requests)
    if not n or over.untraced or short.unbilled:
        return over, short
    usd = rounded(over.hidden * n / over.hidden_requests)
    back = min(usd, max(-short.token, ZERO))
    return (
        over._replace(
            hidden=over.hidden - usd,
            cut_off=over.cut_off + usd,
            hidden_requests=over.hidden_requests - n,
            cut_off_requests=over.cut_off_requests + n,
        ),
        short._replace(
            token=short.token + back,
            cut_off=short.cut_off - back,
            unbilled_requests=short.unbilled_requests - n,
            cut_off_requests=short.cut_off_requests - n,
        ),
    )


def total(settlements: Iterable[Settlement]) -> Settlement:
    """Term by term sum."""
    terms = list(settlements)
    return Settlement(
        hidden=sum((term.hidden for term in terms), ZERO),
        untraced=sum((term.untraced for term in terms), ZERO),
        unbilled=sum((term.unbilled for term in terms), ZERO),
        price=sum((term.price for term in terms), ZERO),
        token=sum((term.token for term in terms), ZERO),
        undivided=sum((term.undivided for term in terms), ZERO),
        cut_off=sum((term.cut_off for term in terms), ZERO),
        hidden_requests=sum(term.hidden_requests for term in terms),
        unbilled_requests=sum(term.unbilled_requests for term in terms),
        maybe_requests=sum(term.maybe_requests for term in terms),
        cut_off_requests=sum(term.cut_off_requests for term in terms),
    )


class Amount(NamedTuple):
    """One bar of a bridge. Additive rows of a bridge sum to its last row, whose `kind` is 'total'."""

    bridge: str
    bucket: str
    n: int | None
    usd: Decimal | None
    kind: str = "part"


COUNT_BUCKETS = ("converting", "other_successful", "rescued", "unrescued", "orphans")


def count_bridge(counts: Mapping[str, int], attempts: int) -> list[Amount]:
    """attempts = converting + other successful + rescued + unrescued + orphans, exactly."""
    parts = [Amount("count", bucket, counts.get(bucket, 0), None) for bucket in COUNT_BUCKETS]
    rest = attempts - sum(counts.get(bucket, 0) for bucket in COUNT_BUCKETS)
    return [
        *parts,
        Amount("count", "epsilon", rest, None),
        Amount("count", "attempts", attempts, None, "total"),
    ]


def billing_bridge(sure: int, settled: Settlement, billed: int) -> list[Amount]:
    """billed requests = traced billable attempts + maybe billed + hidden - unbilled +- cut-off + epsilon."""
    parts = {
        "traced": sure,
        "maybe_billed": settled.maybe_requests,
        "hidden": settled.hidden_requests,
        "unbilled": -settled.unbilled_requests,
        "cut_off": settled.cut_off_requests,
    }
    rows = [Amount("billing", bucket, count, None) for bucket, count in parts.items()]
    rest = billed - sum(parts.values())
    return [
        *rows,
        Amount("billing", "epsilon", rest, None),
        Amount("billing", "billed", billed, None, "total"),
    ]


def money_bridge(
    traced_usd: Mapping[str, Decimal],
    counts: Mapping[str, int],
    settled: Settlement,
    no_bill: Decimal,
    adjustments: Mapping[str, Decimal],
    invoice: Decimal | None,
) -> list[Amount]:
    """From traced attempts at catalogue prices to the invoice; epsilon is its own row, also when it is 0.

    `no_bill` is the expected cost of tools and providers that send no bill: it stays out of the invoice.
    Without any bill (invoice None) the bridge ends at what the traces are expected to cost.
    """
    rows = [
        Amount("money", bucket, counts.get(bucket, 0), traced_usd.get(bucket, ZERO))
        for bucket in COUNT_BUCKETS
    ]
    if invoice is None:
        expected = sum(traced_usd.values(), ZERO)
        rest = expected - sum((row.usd or ZERO for row in rows), ZERO)
        end = Amount("money", "expected", sum(counts.values()), expected, "total")
        return [*rows, Amount("money", "epsilon", None, rest), end]
    rows += [
        Amount("money", "hidden", settled.hidden_requests, settled.hidden + settled.untraced),
        Amount("money", "unbilled", settled.unbilled_requests, -settled.unbilled),
        Amount("money", "price_variance", None, settled.price),
        Amount("money", "token_variance", None, settled.token),
        Amount("money", "undivided_variance", None, settled.undivided),
        Amount("money", "cut_off", None, settled.cut_off),
        Amount("money", "no_bill", None, -no_bill),
        *(Amount("money", name, None, usd) for name, usd in sorted(adjustments.items())),
    ]
    rest = invoice - sum((row.usd or ZERO for row in rows), ZERO)
    return [*rows, Amount("money", "epsilon", None, rest), Amount("money", "invoice", None, invoice, "total")]
