"""The imports page's questions to the ledger."""

from __future__ import annotations

from core.ledger.batch import ROWLESS_FORMATS

MOST_ARRIVALS = 1_000
MOST_REFUSED = 10_000

ARRIVALS = f"""
with repeated as (
    select
        import_id,
        count(*) as rows_repeated
    from duplicates
    where table_name = 'spans' and kind = 'exact'
    group by import_id
),
held as (
    select
        imports.*,
        coalesce(repeated.rows_repeated, 0) as rows_repeated,
        undone.undone_by
    from imports
    left join repeated on repeated.import_id = imports.import_id
    left join undone on undone.import_id = imports.import_id
),
by_file as (
    select
        file_id,
        min(import_id)                       as first_import,
        max(import_id)                       as last_import,
        sum(rows_repaired)                   as rows_repaired,
        sum(rows_repeated)                   as rows_repeated,
        min(min_event_ns)                    as first_event_ns,
        max(max_event_ns)                    as last_event_ns,
        bool_or(demo)                        as demo,
        max(undone_by)                       as undone_by
    from held
    where file_id is not null
    group by file_id
),
taken as (
    select
        'file'                               as what,
        files.file_id,
        files.at_ns,
        files.name,
        files.door,
        files.format,
        files.rows_read,
        files.rows_accepted - coalesce(by_file.rows_repeated, 0)  as rows_accepted,
        files.rows_quarantined,
        files.rows_duplicate + coalesce(by_file.rows_repeated, 0) as rows_duplicate,
        coalesce(by_file.rows_repaired, 0)   as rows_repaired,
        by_file.first_event_ns,
        by_file.last_event_ns,
        files.problem,
        by_file.undone_by,
        coalesce(by_file.demo, false)        as demo,
        by_file.first_import,
        by_file.last_import
    from files
    left join by_file on by_file.file_id = files.file_id
),
cut_off as (
    select
        'file'                               as what,
        file_id,
        max(at_ns)                           as at_ns,
        min(source)                          as name,
        ''                                   as door,
        min(format)                          as format,
        sum(rows_read)                       as rows_read,
        sum(rows_accepted - rows_repeated)   as rows_accepted,
        sum(rows_quarantined)                as rows_quarantined,
        sum(rows_duplicate + rows_repeated)  as rows_duplicate,
        coalesce(sum(rows_repaired), 0)      as rows_repaired,
        min(min_event_ns)                    as first_event_ns,
        max(max_event_ns)                    as last_event_ns,
        'The app ended while the file was read. Give it again: what is in is not taken twice.' as problem,
        max(undone_by)                       as undone_by,
        bool_or(demo)                        as demo,
        min(import_id)                       as first_import,
        max(import_id)                       as last_import
    from held
    where file_id is not null and file_id not in (select file_id from files)
    group by file_id
),
live as (
    select
        case when format in {ROWLESS_FORMATS} then format else 'live' end as what,
        cast(null as bigint)                 as file_id,
        max(at_ns)                           as at_ns,
        source                               as name,
        case when format in {ROWLESS_FORMATS} then '' else 'otlp' end as door,
        format,
        sum(rows_read)                       as rows_read,
        sum(rows_accepted - rows_repeated)   as rows_accepted,
        sum(rows_quarantined)                as rows_quarantined,
        sum(rows_duplicate + rows_repeated)  as rows_duplicate,
        coalesce(sum(rows_repaired), 0)      as rows_repaired,
        min(min_event_ns)                    as first_event_ns,
        max(max_event_ns)                    as last_event_ns,
        cast(null as varchar)                as problem,
        max(undone_by)                       as undone_by,
        bool_or(demo)                        as demo,
        min(import_id)                       as first_import,
        max(import_id)                       as last_import
    from held
    where file_id is null
    group by source, format, at_ns // 3600000000000, undone_by is null
),
arrivals as (
    select * from taken
    union all
    select * from cut_off
    union all
    select * from live
)
select
    make_timestamp_ns(at_ns)                 as committed_at,
    name,
    door,
    format,
    cast(rows_read as bigint)                as rows_read,
    cast(rows_accepted as bigint)            as rows_accepted,
    cast(rows_quarantined as bigint)         as rows_quarantined,
    cast(rows_duplicate as bigint)           as rows_duplicate,
    cast(rows_repaired as bigint)            as rows_repaired,
    case
        when undone_by is not null then concat('undone by import ', undone_by)
        when problem is not null then problem
        when what = 'file' and rows_read = 0 then 'no rows found'
        when what = 'file' and rows_accepted + rows_quarantined = 0 then 'known before: nothing new'
        else ''
    end                                      as remark,
    make_timestamp_ns(first_event_ns)        as first_event_at,
    make_timestamp_ns(last_event_ns)         as last_event_at,
    demo,
    file_id,
    first_import,
    last_import,
    what,
    undone_by
from arrivals
-- By import, because a clock can be set back; a file that brought none stands with the file before it.
order by
    coalesce(last_import, max(last_import) over (order by file_id rows unbounded preceding), 0) desc,
    file_id desc nulls last
limit {MOST_ARRIVALS}
"""
"""One row a file, an hour of live traffic of one source, an undo or a change of prices; newest first."""

IMPORTS_OF = f"""
select import_id
from imports
where import_id not in (select import_id from undone)
    and format not in {ROWLESS_FORMATS}
    and import_id between $first_import and $last_import
    and (case when $file_id = 0 then file_id is null and source = $name else file_id = $file_id end)
order by import_id
"""

REFUSED = f"""
select
    quarantine.import_id,
    imports.source,
    quarantine.row_number,
    quarantine.field,
    quarantine.reason,
    quarantine.row_text
from quarantine
join imports on imports.import_id = quarantine.import_id
where quarantine.import_id between $first_import and $last_import
    and (case when $file_id = 0 then imports.file_id is null and imports.source = $name else imports.file_id = $file_id end)
order by quarantine.import_id, quarantine.row_number
limit {MOST_REFUSED}
"""
