"""Which lines of a bill count: of everything that was imported, what the newest statement at or below `as_of` says.

Two ways of restating meet here. A line with a key of its own counts as its newest import says. A source that restates
whole periods (`batch_key`: a payer account's month) counts by delivery: the newest import of a period names the delivery,
and all files of it count together, those that came again unchanged (`redelivered`) included.
"""

from __future__ import annotations

BILL = """
with arrived as (
    select
        *,
        coalesce(delivery_id, -import_id) as delivery
    from cost_lines
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and (batch_key is not null or day between $start and $end)
),
newest_imports as (
    select
        source_format,
        coalesce(billing_account_id, '') as account,
        batch_key,
        max(import_id) as import_id
    from arrived
    where batch_key is not null
    group by source_format, coalesce(billing_account_id, ''), batch_key
),
deliveries as (
    select distinct
        newest_imports.source_format,
        newest_imports.account,
        newest_imports.batch_key,
        arrived.delivery
    from newest_imports
    join arrived
        on arrived.import_id = newest_imports.import_id
        and arrived.source_format = newest_imports.source_format
        and arrived.batch_key = newest_imports.batch_key
        and coalesce(arrived.billing_account_id, '') = newest_imports.account
),
counted as (
    select distinct
        deliveries.*,
        arrived.import_id
    from deliveries
    join arrived
        on arrived.delivery = deliveries.delivery
        and arrived.source_format = deliveries.source_format
        and arrived.batch_key = deliveries.batch_key
        and coalesce(arrived.billing_account_id, '') = deliveries.account
    union
    select
        deliveries.*,
        redelivered.import_id
    from deliveries
    join redelivered on redelivered.delivery_id = deliveries.delivery
),
imported as (
    select
        arrived.*,
        row_number() over (
            partition by arrived.source_format, arrived.line_key order by arrived.import_id desc
        ) as newest,
        counted.delivery as newest_delivery
    from arrived
    left join counted
        on counted.source_format = arrived.source_format
        and counted.account = coalesce(arrived.billing_account_id, '')
        and counted.batch_key = arrived.batch_key
        and counted.import_id = arrived.import_id
),
bill as (
    select
        *,
        coalesce(effective_cost, billed_cost) as usage_cost,
        coalesce(billed_cost, effective_cost) as invoiced_cost,
        coalesce(lower(provider_name), '') as provider
    from imported
    where day between $start and $end
        and ((batch_key is null and newest = 1) or newest_delivery is not null)
        and ($regions = '' or region_id is null or strpos($regions, concat(chr(31), region_id, chr(31))) > 0)
)
"""
"""CTEs that end in `bill`: cost_lines in force in the scope's days and regions, and three columns more.

`usage_cost` is what the use cost (effective, else billed), `invoiced_cost` what was charged (billed, else effective: a
gateway's log has only its own estimate), `provider` is in lower case, '' where it is not named. Uses $start, $end, $as_of
and $regions; a line without a region is in every choice of regions, so that whoever filters must ask whether there are any.
"""
