"""Telling people when a finding's status changes: changes.py notices and queues, messages.py words, channels.py sends.

core.web.alerting is the thread that goes round them, and decides when to try again. `board` is the public_url of the app
whose ledger a finding is of: several apps may share the database of what people make.
"""
