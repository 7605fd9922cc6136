"""What the forecast asks the ledger: tokens by region and hour, limits and prices with their dates, busiest minutes.

A forecast learns from all history up to the end of the scope, so `$start` bounds nothing here: questions of
`attempts` leave it out and questions of bills are given the first of all days. `$recent_from` is the first of the last
four weeks.
"""

from __future__ import annotations

from core.ledger.bill_rows import BILL
from core.ledger.change_rows import STATED

_LINES = """
with lines as (
    select
        coalesce(cloud_region, '')                                      as region,
        coalesce(model, '')                                             as model,
        hour,
        cast(floor(started_at_ns / cast(60000000000 as double)) as bigint) as minute,
        day,
        input_tokens,
        output_tokens,
        coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) as cached_tokens,
        coalesce(input_tokens, 0) + coalesce(output_tokens, 0)          as all_tokens,
        expected_usd,
        error_class
    from attempts
    where line_kind = 'inference'
        and removed_rule is null
        and day <= $end
        and import_id <= $as_of
        and superseded_by > $as_of
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($models = '' or strpos($models, concat(chr(31), model, chr(31))) > 0)
)
"""

_HOURS = """
with hours as (
    select
        *,
        coalesce(cloud_region, '') as region
    from attempt_hours
    where line_kind = 'inference'
        and counted
        and day <= $end
        and import_id <= $as_of
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($models = '' or strpos($models, concat(chr(31), model, chr(31))) > 0)
)
"""
"""Hourly sums in scope, to be summed further: one alone may be what a version took back."""

TRACED = (
    _HOURS
    + """
select
    region,
    hour,
    cast(sum(case
        when $kind = 'input' then input_tokens - cached_tokens
        when $kind = 'cached' then cached_tokens
        when $kind = 'output' then output_tokens
        else input_tokens + output_tokens
    end) as bigint)                                                     as tokens,
    cast(sum(attempts) as bigint)                                       as requests,
    cast(sum(without_usage) as bigint)                                  as without_usage,
    cast(sum(case when error_class = 'rate_limit' then attempts else 0 end) as bigint) as throttled,
    cast(sum(expected_usd) as decimal(38, 12))                          as cost,
    cast(sum(priced_tokens) as bigint)                                  as priced_tokens
from hours
group by region, hour
having sum(attempts) <> 0
"""
)
"""Tokens, requests and money of traced attempts by region and UTC hour; what was told twice is left out."""

TRACED_MODELS = (
    _HOURS
    + """
select
    region,
    day,
    coalesce(model, '')                        as model,
    cast(sum(expected_usd) as decimal(38, 12)) as cost,
    cast(sum(priced_tokens) as bigint)         as tokens
from hours
where day >= $recent_from
group by region, day, coalesce(model, '')
having sum(priced_attempts) <> 0
"""
)
"""Money of traced attempts of the last four weeks, and the tokens it was for, by region, UTC day and model."""

EXTENT = """
select
    min(hour) as first_hour,
    max(hour) as last_hour
from (
    select hour
    from attempt_hours
    where import_id <= $as_of
    group by hour
    having sum(attempts) <> 0
) as covered
"""
"""The hours that traces cover, whatever the scope: a region that is silent inside them had no traffic."""

_BILLED_LINES = (
    BILL
    + """
,
billed as (
    select
        source_format,
        measure,
        coalesce(region_id, '')                 as region,
        coalesce(model, '')                     as model,
        day,
        coalesce(hour, -1)                      as hour,
        coalesce(upper(billing_currency), '')   as currency,
        tokens,
        requests,
        usage_cost
    from bill
    where tokens is not null
        and charge_category = 'Usage'
        and coalesce(token_type, 'mixed') in ('input', 'cache_read', 'cache_write', 'output', 'reasoning', 'mixed')
        and ($kind = 'all'
            or ($kind = 'input' and token_type = 'input')
            or ($kind = 'cached' and token_type in ('cache_read', 'cache_write'))
            or ($kind = 'output' and token_type in ('output', 'reasoning')))
        and ($models = '' or strpos($models, concat(chr(31), coalesce(model, ''), chr(31))) > 0)
)
"""
)

BILLED = (
    _BILLED_LINES
    + """
select
    source_format,
    measure,
    region,
    day,
    hour,
    currency,
    cast(sum(tokens) as bigint)                             as tokens,
    cast(coalesce(sum(requests), 0) as bigint)              as requests,
    cast(coalesce(sum(usage_cost), 0) as decimal(38, 12))   as cost
from billed
group by source_format, measure, region, day, hour, currency
"""
)
"""Billed tokens by source, region and day, and by hour where the bill has hours (else -1)."""

BILLED_MODELS = (
    _BILLED_LINES
    + """
select
    source_format,
    measure,
    region,
    day,
    model,
    currency,
    cast(coalesce(sum(usage_cost), 0) as decimal(38, 12))   as cost,
    cast(sum(tokens) as bigint)                             as tokens
from billed
where day >= $recent_from
group by source_format, measure, region, day, model, currency
"""
)
"""Money of a bill's last four weeks, and the tokens it was for, by source, region, UTC day and model ('' = not stated)."""

LIMITS_AND_PRICES = f"""
select
    kind,
    event_id,
    title,
    day,
    coalesce(region, '')     as region,
    coalesce(model, '')      as model,
    coalesce(attributes, '') as attributes
from (
{STATED}
) as stated
where kind in ('limit', 'price')
    and ($regions = '' or region is null or strpos($regions, concat(chr(31), region, chr(31))) > 0)
"""
"""Limits and price changes from their day on, known at the data version; those ahead of the scope count too."""

PEAKS = (
    _LINES
    + f"""
,
targets as (
    select distinct
        coalesce(region, '') as region,
        coalesce(model, '')  as model
    from (
{STATED}
    ) as stated
    where kind = 'limit'
),
minutes as (
    select
        targets.region as region,
        targets.model  as model,
        lines.hour     as hour,
        lines.minute   as minute,
        sum(lines.all_tokens) as tokens,
        count(*)              as requests
    from lines
    join targets
        on (targets.region = '' or targets.region = lines.region)
        and (
            targets.model = ''
            or targets.model = lines.model
            or (
                substr(lines.model, 1, length(targets.model) + 1) = concat(targets.model, '-')
                and substr(lines.model, length(targets.model) + 2, 1) between '0' and '9'
            )
        )
    where lines.day >= $recent_from
    group by targets.region, targets.model, lines.hour, lines.minute
)
select
    region,
    model,
    hour,
    cast(sum(tokens) as bigint)   as tokens,
    cast(max(tokens) as bigint)   as peak_tokens,
    cast(sum(requests) as bigint) as requests,
    cast(max(requests) as bigint) as peak_requests
from minutes
group by region, model, hour
"""
)
"""Each hour's sum and busiest minute for whatever a limit covers; a model's name covers its dated snapshots."""
