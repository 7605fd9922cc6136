"""Trueup's engine: bytes → ingest → ledger → audits → ui and pages; nothing here imports Streamlit except ui.

Start with audit.py (the contract), then one audit, then ledger/schema.sql. Packages say what they hold; alone stand:

asking       audit, coverage (what the ledger has of an audit's needs), view (an audit's answer, ready for a page),
             links (a page's address ↔ its scope), amounts (numbers as they are printed), runs (one trace's spans in order)
findings     findings (computed once, kept), board (the worker that does it), answers (rows for command line and API),
             check_result, multiplicity (many verdicts at once), readings (as metrics), timeline
data in      intake (one file, by any door), uploads (the data page's door), pulls (SQL sources), imports and imports_sql
             (what came when), demo, recipes (how to send)
people make  state (their database), breaks and made (the break calendar, and how an audit gets it), reviews, then_now,
             review_document, shared_links, decks, deck_content, markdown (their notes)
kept safe    backups (ledger and what people made, as of one moment), erasing (whom to erase, and what is said of it)
taken away   downloads (files a page offers; export writes them), post (HTTP to an operator's address)
settings     settings, setting_values, addresses; places (time zone and holidays of a region)
"""
