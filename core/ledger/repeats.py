"""Spans that came more than once: what is a repeat of which, and which of them counts. Mostly there are none."""

from __future__ import annotations

import polars as pl

_SAME_SPAN = ("trace_id", "span_id")
_SAME_CONTENT = (*_SAME_SPAN, "content_hash")


def came_again(members: pl.DataFrame) -> pl.Series:
    """Whether each row is of a span that is there more than once."""
    return members.select(_SAME_SPAN).is_duplicated()


def repeats(members: pl.DataFrame, after: int) -> pl.DataFrame:
    """Of spans with their `row_id`: row_id, import_id, row_key, first_import_id and kind of those that are repeats.

    'exact': the same content came before. 'revision': another content than the span's first, by an import later than
    `after`; those up to it are recorded already.
    """
    several = members.filter(came_again(members))
    first = several.sort("import_id", "content_hash").unique(_SAME_SPAN, keep="first")
    copies = several.sort(*_SAME_CONTENT, "import_id", "row_id").with_columns(
        (pl.int_range(pl.len()).over(_SAME_CONTENT) > 0).alias("exact"),
        pl.col("import_id").first().over(_SAME_CONTENT).alias("first_import_id"),
    )
    revised = copies.join(first, on=_SAME_CONTENT, how="anti").filter(pl.col("import_id") > after)
    return pl.concat([copies.filter("exact"), revised.filter(~pl.col("exact"))]).select(
        "row_id",
        "import_id",
        pl.concat_str(*_SAME_SPAN, separator="/").alias("row_key"),
        "first_import_id",
        pl.when("exact").then(pl.lit("exact")).otherwise(pl.lit("revision")).alias("kind"),
    )


def newest(members: pl.DataFrame) -> pl.DataFrame:
    """Each span once, without `row_id`: of several contents the one that came first by the latest import."""
    contents = members.sort("import_id", "row_id").unique(_SAME_CONTENT, keep="first", maintain_order=True)
    newest_first = contents.sort("content_hash").sort("import_id", descending=True, maintain_order=True)
    return newest_first.unique(_SAME_SPAN, keep="first", maintain_order=True).drop("row_id")
