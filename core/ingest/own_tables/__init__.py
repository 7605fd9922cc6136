"""Tables whose columns are Trueup's own, which people write by hand or by a script; docs/formats.md lists the columns.

table_cells.py reads the cells and keeps what nobody asked for as attributes; probes.py and callers.py, whose columns are
all known, read their own. responses_file.py is the format `features`. templates.py hands out a small file of each to start from.
"""
