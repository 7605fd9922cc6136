"""Bills, usage reports and spend logs become cost_lines (cost_lines.py: the row, its frame and its key).

Start with focus.py; every reader is detect, read, and a `_line` that makes one row or raises cells.Unreadable. A reader's
second module holds the vendor's columns or words: focus_columns, aws_columns, aws_usage_type, azure_columns,
azure_meters, gcp_rows. Shared: sku_text (model and kind of token out of a bill's wording), date_order (is 4/5 in April or
in May), report_pages (JSON reports in pages: Anthropic, OpenAI, OpenRouter). sql_config and sql_source take the same lines,
or LiteLLM's spend log, out of a database.

Money and usage of the same calls are lines of their own, told apart by `measure` and never added. A line's key says what
it is for and not how much, so that a later file restates it; `batch_key` marks months that are replaced as a whole.
"""
