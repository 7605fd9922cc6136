"""Decks in PostgreSQL are the decks of SQLite."""

from __future__ import annotations

from core.state import State
from tests.sql.conftest import Postgres
from tests.test_decks import check_round_trip


def test_decks_live_in_postgres_too(postgres: Postgres) -> None:
    state = State(postgres.url())
    check_round_trip(state)
    state.close()
