"""What people make in PostgreSQL: the same promises as in SQLite, and no password in any error."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from core import project_folders
from core.settings import BadSetting, Settings, read_settings
from core.state import EditedMeanwhile, State, StateProblem, open_state
from core.tokens import list_tokens, make_token
from tests.sql.conftest import PASSWORD, Postgres


def test_revisions_in_postgres(postgres: Postgres) -> None:
    state = open_state(read_settings({"TRUEUP_STATE_URL": postgres.url()}))
    assert state.newest_calendar().number == 0
    first = state.save_calendar("a\tß", 0)
    second = state.save_calendar("b", 1)
    assert (state.calendar_at(1), state.newest_calendar(), state.calendar_at(3)) == (first, second, None)
    with pytest.raises(EditedMeanwhile):
        state.save_calendar("c", 1)
    state.close()
    other = State(postgres.url())
    assert other.calendar_at(1) == first
    outcomes: list[str] = []

    def save(text: str) -> None:
        mine = State(postgres.url())
        try:
            outcomes.append(f"saved {mine.save_calendar(text, 2).number}")
        except EditedMeanwhile:
            outcomes.append("told")
        mine.close()

    threads = [threading.Thread(target=save, args=(text,)) for text in "defgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["saved 3", *["told"] * 4]
    assert other.newest_calendar().number == 3
    other.close()


def test_a_wrong_password_is_told_without_it(postgres: Postgres) -> None:
    state = State(postgres.url("wrong-horse-9"))
    with pytest.raises(StateProblem) as told:
        state.newest_calendar()
    assert "OperationalError" in str(told.value)
    assert "wrong-horse-9" not in str(told.value)
    assert "check state_url" in str(told.value).lower()


def test_the_setting_hides_what_it_holds() -> None:
    settings = read_settings({"TRUEUP_STATE_URL": f"postgresql+psycopg://me:{PASSWORD}@db/trueup"})
    assert PASSWORD in settings.state_url
    assert PASSWORD not in repr(settings)
    with pytest.raises(BadSetting) as told:
        read_settings({"TRUEUP_STATE_URL": f"mysql://me:{PASSWORD}@db/x"})
    assert PASSWORD not in str(told.value)
    assert "write postgresql+psycopg://" in str(told.value)
    assert open_state(Settings()).newest_calendar().number == 0


def test_projects_in_postgres_find_no_table_of_one_another(postgres: Postgres, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, state_url=postgres.url())
    for name in ("web-search", "beta"):
        project_folders.add(settings, name)
    own = {one.project: one for one in project_folders.every_settings(settings)}
    states = {name: open_state(one) for name, one in own.items()}
    make_token(states["web-search"], "x", "read", "ann", project="web-search")
    assert states["web-search"].save_calendar("a", 0).number == 1
    assert [len(list_tokens(states[name])) for name in ("web-search", "beta")] == [1, 0]
    assert states["beta"].newest_calendar().number == 0
    with states["beta"].session() as session:
        paths = session.execute(text("show search_path")).scalar()
    assert paths == "trueup_beta"
    states["web-search"].close()
    project_folders.remove(settings, "web-search")
    project_folders.add(settings, "web-search")
    again = open_state(own["web-search"])
    assert (list_tokens(again), again.newest_calendar().number) == ([], 0)
    for state in (again, *states.values()):
        state.close()
