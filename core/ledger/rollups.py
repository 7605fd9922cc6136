"""Hourly sums of attempts and calls: what pages ask first, so that the first answer does not grow with the spans.

Every sum carries the data version from which it holds. Rows that begin at a version are added under it, rows that
end at one are subtracted under it, so "as of N" is the sum of `import_id <= N`, as exact as the rows it stands for.
`call_hours` counts durations by the logarithmic bucket stored with each call: counts add up over hours, regions and
models, and a quantile read from them is at most half a bucket, 1 %, off (core.stats.quantiles.of_histogram).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.ledger.file import transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLES = ("attempt_hours", "call_hours")
IN_FORCE = 9_223_372_036_854_775_807
"""superseded_by of a derived row that nothing has replaced."""

_SIGNED = """
    select 1 as sign, import_id as version, {table}.* from {table} where {began}
    union all
    select -1 as sign, superseded_by as version, {table}.* from {table} where {ended}
"""

ATTEMPT_HOURS = """
insert into attempt_hours by name
with signed as ({signed}),
valued as (
    select
        *,
        removed_rule is null                                             as counted,
        coalesce(input_tokens, 0)                                        as input,
        coalesce(output_tokens, 0)                                       as output,
        coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) as cached,
        case when input_tokens is null and output_tokens is null then 1 else 0 end as no_usage,
        case when expected_usd is null then 0 else 1 end                 as priced
    from signed
)
select
    version as import_id,
    day,
    hour,
    cloud_region,
    service_name,
    provider,
    model,
    line_kind,
    error_class,
    counted,
    cast(sum(sign) as bigint)                             as attempts,
    cast(sum(sign * no_usage) as bigint)                  as without_usage,
    cast(sum(sign * input) as bigint)                     as input_tokens,
    cast(sum(sign * output) as bigint)                    as output_tokens,
    cast(sum(sign * cached) as bigint)                    as cached_tokens,
    cast(sum(sign * priced) as bigint)                    as priced_attempts,
    cast(sum(sign * priced * (input + output)) as bigint) as priced_tokens,
    cast(coalesce(sum(sign * expected_usd), 0) as decimal(38, 12)) as expected_usd
from valued
group by version, day, hour, cloud_region, service_name, provider, model, line_kind, error_class, counted
having sum(sign) <> 0 or sum(sign * no_usage) <> 0 or sum(sign * input) <> 0 or sum(sign * output) <> 0
    or sum(sign * cached) <> 0 or sum(sign * priced) <> 0 or sum(sign * priced * (input + output)) <> 0
    or sum(sign * expected_usd) <> 0
"""

CALL_HOURS = """
insert into call_hours by name
with signed as ({signed})
select
    version as import_id,
    day,
    hour,
    cloud_region,
    service_name,
    coalesce(response_model, request_model) as model,
    line_kind,
    ok,
    duration_bucket,
    cast(sum(sign) as bigint) as calls
from signed
where removed_rule is null
group by version, day, hour, cloud_region, service_name, coalesce(response_model, request_model), line_kind, ok,
    duration_bucket
having sum(sign) <> 0
"""


def _texts(began: str, ended: str) -> tuple[str, str]:
    return (
        ATTEMPT_HOURS.format(signed=_SIGNED.format(table="attempts", began=began, ended=ended)),
        CALL_HOURS.format(signed=_SIGNED.format(table="calls", began=began, ended=ended)),
    )


OF_ALL = (*(f"delete from {table}" for table in TABLES), *_texts("true", f"superseded_by < {IN_FORCE}"))
"""Both tables anew from what is derived; the statements of `rebuild`, and of a file that had no sums."""
OF_VERSION = _texts("import_id = $through", "superseded_by = $through")


def add(cursor: DuckDBPyConnection, through: int) -> None:
    """Sums of what began and ended at a version; inside the transaction that derives it."""
    for text in OF_VERSION:
        cursor.execute(text, {"through": through})


def fill(cursor: DuckDBPyConnection) -> None:
    """Both tables anew, inside the caller's transaction."""
    for text in OF_ALL:
        cursor.execute(text)


def rebuild(cursor: DuckDBPyConnection) -> dict[str, int]:
    """Both tables anew, in one transaction; returns rows by table."""
    with transaction(cursor):
        fill(cursor)
    return {table: int(cursor.execute(f"select count(*) from {table}").fetchall()[0][0]) for table in TABLES}
