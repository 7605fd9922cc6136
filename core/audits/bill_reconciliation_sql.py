"""What the reconciliation asks the ledger: traced and billed cells, and how each day of a bill came."""

from __future__ import annotations

from core.ledger.bill_rows import BILL

_CALLERS = """
with newest_map as (
    select coalesce(max(import_id), 0) as import_id
    from callers
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
),
mapped as (
    select
        callers.service_name,
        coalesce(callers.provider_name, '') as provider,
        coalesce(callers.sub_account_id, '') as sub_account_id,
        coalesce(callers.api_key_id, '') as api_key_id
    from callers
    join newest_map on newest_map.import_id = callers.import_id
)
"""

TRACED = (
    _CALLERS
    + """
,
lines as (
    select
        attempts.*,
        coalesce(lower(attempts.provider), '') as of_provider
    from attempts
    where line_kind = 'inference'
        and day between $start and $end
        and import_id <= $as_of
        and superseded_by > $as_of
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
)
select
    lines.of_provider                                                   as provider,
    coalesce(lines.model, '')                                           as model,
    coalesce(lines.service_name, '')                                    as service,
    coalesce(min(mapped.sub_account_id), '')                            as sub_account_id,
    coalesce(min(mapped.api_key_id), '')                                as api_key_id,
    lines.day,
    case when $grain = 'hour' then lines.hour else -1 end               as hour,
    coalesce(lines.removed_rule, '')                                    as removed_rule,
    lines.billable,
    cast(count(*) as bigint)                                            as lines,
    cast(sum(case when lines.input_tokens is null then 1 else 0 end) as bigint) as without_usage,
    cast(sum(case when lines.expected_usd is null and lines.billable <> 'no' and lines.input_tokens is not null
        then 1 else 0 end) as bigint)                                   as unpriced,
    cast(coalesce(sum(lines.expected_usd), 0) as decimal(38, 12))       as expected_usd,
    cast(coalesce(sum(coalesce(lines.input_tokens, 0) - coalesce(lines.cache_read_tokens, 0)
        - coalesce(lines.cache_write_tokens, 0)), 0) as bigint)         as input_tokens,
    cast(coalesce(sum(lines.cache_read_tokens), 0) as bigint)           as cache_read_tokens,
    cast(coalesce(sum(lines.cache_write_tokens), 0) as bigint)          as cache_write_tokens,
    cast(coalesce(sum(lines.output_tokens), 0) as bigint)               as output_tokens,
    cast(coalesce(sum(lines.reasoning_tokens), 0) as bigint)            as reasoning_tokens
from lines
left join mapped
    on mapped.service_name = lines.service_name
    and (mapped.provider = '' or mapped.provider = lines.of_provider)
group by
    lines.of_provider, coalesce(lines.model, ''), coalesce(lines.service_name, ''), lines.day,
    case when $grain = 'hour' then lines.hour else -1 end, coalesce(lines.removed_rule, ''), lines.billable
"""
)
"""Traced attempts of models by cell, those that double counting removed apart by rule."""

BILLED = (
    BILL
    + """
select
    source_format,
    measure,
    provider,
    coalesce(sub_account_id, '')                                        as sub_account_id,
    coalesce(api_key_id, '')                                            as api_key_id,
    coalesce(region_id, '')                                             as region,
    coalesce(model, '')                                                 as model,
    coalesce(token_type, '')                                            as token_type,
    day,
    case when $grain = 'hour' then coalesce(hour, -1) else -1 end       as hour,
    charge_category,
    coalesce(charge_class, '')                                          as charge_class,
    coalesce(upper(billing_currency), '')                               as billing_currency,
    coalesce(lower(service_tier), '')                                   as service_tier,
    coalesce(batch, false)                                              as batch,
    cast(count(*) as bigint)                                            as lines,
    cast(sum(case when region_id is null then 1 else 0 end) as bigint)  as without_region,
    cast(sum(tokens) as bigint)                                         as tokens,
    cast(sum(case when coalesce(status, '') = 'failure' then 0 else requests end) as bigint) as requests,
    cast(sum(invoiced_cost) as decimal(38, 12))                         as billed_usd,
    cast(sum(usage_cost) as decimal(38, 12))                            as usage_usd
from bill
group by
    source_format, measure, provider, coalesce(sub_account_id, ''), coalesce(api_key_id, ''), coalesce(region_id, ''),
    coalesce(model, ''), coalesce(token_type, ''), day,
    case when $grain = 'hour' then coalesce(hour, -1) else -1 end, charge_category, coalesce(charge_class, ''),
    coalesce(upper(billing_currency), ''), coalesce(lower(service_tier), ''), coalesce(batch, false)
"""
)
"""The bill as of the version by everything that tells its lines apart."""

HISTORY = """
with told as (
    select
        cost_lines.source_format,
        coalesce(lower(cost_lines.provider_name), '') as provider,
        cost_lines.day,
        cost_lines.import_id,
        imports.at_ns
    from cost_lines
    join imports on imports.import_id = cost_lines.import_id
    where cost_lines.import_id <= $as_of
        and cost_lines.import_id not in (select import_id from undone where undone_by <= $as_of)
        and cost_lines.charge_category = 'Usage'
)
select
    source_format,
    provider,
    day,
    cast(count(distinct import_id) as bigint) as imports,
    cast(max(at_ns) as bigint)                as changed_ns
from told
group by source_format, provider, day
"""
"""How often each billed day was told of, and when last."""

RESTATED = """
with before as (
    select
        source_format,
        line_key,
        import_id,
        billed_cost,
        billing_currency,
        row_number() over (partition by source_format, line_key order by import_id desc) as revision
    from cost_lines
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and batch_key is null
        and day between $start and $end
)
select
    newest.source_format,
    upper(newest.billing_currency)                                      as billing_currency,
    cast(count(*) as bigint)                                            as lines,
    cast(sum(newest.billed_cost - earlier.billed_cost) as decimal(38, 12)) as changed_usd
from before as newest
join before as earlier
    on earlier.source_format = newest.source_format
    and earlier.line_key = newest.line_key
    and earlier.revision = 2
where newest.revision = 1
group by newest.source_format, upper(newest.billing_currency)
"""
"""What later imports changed on lines that had been billed before."""
