"""The billing side of the retry audit's questions: traced cells, billed cells, and their join call by call."""

from __future__ import annotations

from core.audits.retry_ledger_sql import LINES
from core.ledger.bill_rows import BILL

CELLS = (
    LINES.rstrip().rstrip(",")
    + """
select
    coalesce(lower(provider), '') as provider,
    coalesce(model, '') as model,
    day,
    line_kind,
    billable,
    cast(count(*) as bigint) as lines,
    cast(sum(case when response_id is not null then 1 else 0 end) as bigint) as with_id,
    cast(sum(case when expected_usd is null and billable <> 'no' then 1 else 0 end) as bigint) as unpriced,
    cast(coalesce(sum(expected_usd), 0) as decimal(38, 12)) as expected_usd,
    cast(sum(
        coalesce(input_tokens, 0) - coalesce(cache_read_tokens, 0) - coalesce(cache_write_tokens, 0)
    ) as bigint) as input_tokens,
    cast(coalesce(sum(cache_read_tokens), 0) as bigint) as cache_read_tokens,
    cast(coalesce(sum(cache_write_tokens), 0) as bigint) as cache_write_tokens,
    cast(coalesce(sum(output_tokens), 0) as bigint) as output_tokens
from lines
group by coalesce(lower(provider), ''), coalesce(model, ''), day, line_kind, billable
"""
)
"""The traced side of the bill: lines, expected money and tokens per provider, model and day."""

BILLS = (
    BILL
    + """
select
    source_format,
    measure,
    provider,
    model,
    day,
    token_type,
    charge_category,
    coalesce(charge_class, '') as charge_class,
    coalesce(upper(billing_currency), '') as billing_currency,
    cast(count(*) as bigint) as lines,
    cast(sum(case when response_id is not null or status = 'failure' then 1 else 0 end) as bigint) as with_id,
    cast(sum(case when billed_cost is null then 1 else 0 end) as bigint) as without_invoice,
    cast(sum(case when region_id is null then 1 else 0 end) as bigint) as without_region,
    cast(sum(tokens) as bigint) as tokens,
    cast(sum(case when coalesce(status, '') = 'failure' then 0 else requests end) as bigint) as requests,
    cast(sum(attempted_retries) as bigint) as attempted_retries,
    cast(sum(invoiced_cost) as decimal(38, 12)) as billed_usd,
    cast(sum(usage_cost) as decimal(38, 12)) as usage_usd
from bill
group by
    source_format, measure, provider, model, day, token_type, charge_category, coalesce(charge_class, ''),
    coalesce(upper(billing_currency), '')
"""
)
"""The bill as of the version, per model, day and token type.

A gateway's log has no billed cost: its own estimate stands in, and `without_invoice` counts such lines. Failed
calls in it cost nothing and are no billed requests.
"""

JOINS = (
    LINES
    + BILL.strip().removeprefix("with ")
    + """
, billed_calls as (
    select
        source_format,
        provider,
        response_id,
        min(day) as day,
        sum(tokens) as tokens,
        sum(usage_cost) as usage_usd
    from bill
    where response_id is not null
        and measure = 'cost'
        and charge_category = 'Usage' and charge_class is null
        and upper(billing_currency) = $currency
        and coalesce(token_type, '') <> 'tool'
        and coalesce(status, '') <> 'failure'
    group by source_format, provider, response_id
),
traced_calls as (
    select
        response_id,
        min(day) as day,
        sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) as tokens,
        sum(expected_usd) as expected_usd
    from lines
    where line_kind = 'inference' and response_id is not null
    group by response_id
)
select
    billed_calls.source_format,
    billed_calls.provider,
    coalesce(traced_calls.day, billed_calls.day) as day,
    case
        when traced_calls.response_id is null then 'billed_only'
        when coalesce(traced_calls.tokens = billed_calls.tokens, true) then 'same_tokens'
        else 'other_tokens'
    end as joined,
    cast(count(*) as bigint) as calls,
    cast(coalesce(sum(billed_calls.usage_usd), 0) as decimal(38, 12)) as usage_usd,
    cast(coalesce(sum(traced_calls.expected_usd), 0) as decimal(38, 12)) as expected_usd
from billed_calls
left join traced_calls on traced_calls.response_id = billed_calls.response_id
group by
    billed_calls.source_format,
    billed_calls.provider,
    coalesce(traced_calls.day, billed_calls.day),
    case
        when traced_calls.response_id is null then 'billed_only'
        when coalesce(traced_calls.tokens = billed_calls.tokens, true) then 'same_tokens'
        else 'other_tokens'
    end
"""
)
"""Call by call, where a bill carries response ids: which billed calls no trace shows."""
