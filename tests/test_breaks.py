"""The break calendar as text and as a table, and the revisions that links name."""

from __future__ import annotations

import datetime as dt
import doctest
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core import breaks, links, made, places
from core.audit import Scope
from core.audits import every_audit, retry_ledger, token_forecast
from core.breaks import BadBreak, Proposed, RegionBreak, canonical, editor_rows, of_region, parse, read_rows
from core.places import BadRegions, place_of, regions
from core.state import EditedMeanwhile, State, StateProblem
from core.stats.calendar_terms import Break, public_holidays

DAY = dt.date(2026, 12, 21)
FREEZE = RegionBreak("eu-central-1", Break("Christmas freeze", DAY, dt.date(2026, 12, 31)))
LINE = "2026-12-21..2026-12-31\teu-central-1\teffect=estimated\tknown=always\tChristmas freeze"
SCOPE = Scope(DAY, DAY)


def row(**changes: object) -> dict[str, object]:
    usual = {
        "accept": True,
        "region": "eu",
        "start": DAY,
        "end": DAY,
        "name": "x",
        "effect_share": None,
        "known_from": None,
    }
    return usual | changes


def test_a_break_is_one_line() -> None:
    assert canonical([FREEZE, FREEZE]) == LINE
    assert parse(LINE) == (FREEZE,)


days = some.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1))
names = some.text(min_size=1, max_size=80).map(lambda text: " ".join(text.split())).filter(bool)


@given(
    some.lists(
        some.tuples(names, names, days, some.integers(0, 399), some.none() | some.sampled_from([-0.4, 0.0, 1.5]),
                    some.none() | days),
        max_size=6,
    )
)  # fmt: skip
def test_what_is_read_from_a_table_comes_back_whatever_it_is_called(drawn: list[tuple]) -> None:  # type: ignore[type-arg]
    rows = [
        row(region=region, name=name, start=start, end=start + dt.timedelta(days=length), effect_share=share, known_from=known)
        for region, name, start, length, share, known in drawn
    ]  # fmt: skip
    text = read_rows(rows)
    assert canonical(parse(text)) == text
    assert {(one.region, one.named.name) for one in parse(text)} == {
        (region, name) for region, name, *_ in drawn
    }
    assert read_rows(editor_rows(text, []).rows(named=True)) == text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"start": None}, "row 1 lacks its first or last day"),
        ({"end": DAY - dt.timedelta(days=1)}, "row 1 ends 2026-12-20, before its first day 2026-12-21; swap the two"),
        ({"end": DAY + dt.timedelta(days=400)}, "row 1 lasts 401 days; 400 are the most"),
        ({"name": " "}, "row 1 needs a name of 1 to 80 characters"),
        ({"effect_share": -1.0}, "row 1: the effect is -1.0; write a share above −1"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_named(changes: dict[str, object], told: str) -> None:
    with pytest.raises(BadBreak, match=told):
        read_rows([row(**changes)])


def test_rows_that_are_not_ticked_or_empty_are_left_out() -> None:
    empty = dict.fromkeys(row(), None) | {"accept": True}
    assert read_rows([row(accept=False), empty, row(name="kept")]).endswith("kept")
    assert len(parse(read_rows([row(accept=False), empty]))) == 0


def test_a_damaged_line_is_named() -> None:
    with pytest.raises(BadBreak, match="line 2 of the break calendar cannot be read"):
        parse(LINE + "\nnonsense")


def test_a_break_of_every_region_is_everyones() -> None:
    everywhere = RegionBreak("*", Break("launch", DAY, DAY))
    found = [FREEZE, everywhere]
    assert of_region(found, "eu-central-1") == (FREEZE.named, everywhere.named)
    assert of_region(found, "us-east-1") == (everywhere.named,)
    nowhere = parse(read_rows([row(region=breaks.NO_REGION)]))
    assert of_region(nowhere, "") == (nowhere[0].named,)
    assert of_region(nowhere, "us-east-1") == ()


def test_a_proposal_is_offered_and_not_accepted() -> None:
    table = editor_rows(LINE, [Proposed("eu", DAY, DAY, "−40 %", False)])
    assert table["accept"].to_list() == [True, False]
    # Known only from the day after it ended: a backtest must not know of it before.
    assert table["known_from"].to_list() == [None, DAY + dt.timedelta(days=1)]


def test_each_save_is_a_revision_and_none_changes(tmp_path: Path) -> None:
    state = State(path=tmp_path / "folder" / "state.sqlite")
    assert state.newest_calendar().number == 0
    assert not (tmp_path / "folder").exists()  # looking makes no file
    first, second = state.save_calendar("a", 0), state.save_calendar("b", 1)
    assert (first.number, second.number, state.newest_calendar()) == (1, 2, second)
    assert (state.calendar_at(1), state.calendar_at(0), state.calendar_at(3)) == (first, (0, ""), None)
    assert state.save_calendar("b", 2) == second  # the same again is no revision
    with pytest.raises(EditedMeanwhile, match="Revision 2 was saved after revision 1"):
        state.save_calendar("c", 1)
    state.close()
    again = State(path=tmp_path / "folder" / "state.sqlite")
    assert again.calendar_at(1) == first
    again.close()


def test_two_who_save_at_once_cannot_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one has looked before the first one wrote: the number itself decides."""
    one, other = State(path=tmp_path / "s.sqlite"), State(path=tmp_path / "s.sqlite")
    seen_before = other.newest_calendar()
    one.save_calendar("a", 0)
    monkeypatch.setattr(other, "newest_calendar", lambda: seen_before)
    with pytest.raises(EditedMeanwhile, match="just saved revision 1"):
        other.save_calendar("b", 0)
    assert one.newest_calendar().text == "a"
    one.close()
    other.close()


def test_without_a_database_nothing_can_be_saved() -> None:
    with pytest.raises(StateProblem, match="Nothing can be saved"):
        State().save_calendar("a", 0)


def test_a_broken_file_is_told_and_applies_no_breaks(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").write_text("this is not a database " * 100)
    state = State(path=tmp_path / "s.sqlite")
    within = made.resolved(token_forecast, SCOPE, state=state)
    assert within.made == (("breaks", ""),)
    told = made.told(within, state=state)
    assert "does not answer as it should (DatabaseError)" in told
    assert told.endswith("No breaks are applied.")


def test_a_scope_carries_the_revision_and_its_text(tmp_path: Path) -> None:
    state = State(path=tmp_path / "s.sqlite")
    state.save_calendar(LINE, 0)
    newest = made.resolved(token_forecast, SCOPE, state=state)
    assert (newest.choices, newest.made) == ((("breaks", "1"),), (("breaks", LINE),))
    assert "token_forecast_breaks=1" in links.share_link("http://h/p", newest, "token_forecast")
    state.save_calendar("", 1)
    pinned = made.resolved(token_forecast, SCOPE, "1", state)
    assert pinned == newest  # the link shows what it showed
    assert made.told(pinned, "1", state) == (
        "This link shows break calendar 1; the newest is 2. Open the page from the menu to see it."
    )
    assert made.resolved(token_forecast, pinned, state=state) == pinned
    assert made.resolved(token_forecast, SCOPE, "0", state).made == (("breaks", ""),)


@pytest.mark.parametrize("asked", ["7", "banana", "-1", "99999999999", "٣"])
def test_a_revision_that_does_not_exist_is_told(tmp_path: Path, asked: str) -> None:
    state = State(path=tmp_path / "s.sqlite")
    state.save_calendar(LINE, 0)
    within = made.resolved(token_forecast, SCOPE, asked, state)
    assert within.choice("breaks", "") == "1"
    assert made.told(within, asked, state) == f'There is no break calendar "{asked}". Showing revision 1.'


def test_only_audits_that_need_breaks_get_them() -> None:
    assert made.resolved(retry_ledger, SCOPE) == SCOPE
    assert made.resolved(None, SCOPE) == SCOPE
    assert [audit for audit in every_audit() if made.needs_breaks(audit)] == [token_forecast]
    assert not made.needs_breaks(SimpleNamespace())  # type: ignore[arg-type]


def test_saving_an_edited_table(tmp_path: Path) -> None:
    state = State(path=tmp_path / "s.sqlite")
    within = made.resolved(token_forecast, SCOPE, state=state)
    saved, complaint = made.save(within, [row()], state)
    assert (saved and saved.number, complaint) == (1, "")
    assert made.save(within, [row(name="")], state) == (None, "row 1 needs a name of 1 to 80 characters")
    refused, complaint = made.save(within, [row(name="y")], state)
    assert refused is None
    assert complaint.startswith("Revision 1 was saved after revision 0")


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(places).failed == 0
    assert doctest.testmod(breaks).failed == 0


def test_every_known_region_has_a_zone_and_a_calendar() -> None:
    year = [dt.date(2026, 1, 1) + dt.timedelta(days=i) for i in range(365)]
    assert len(regions()) > 100
    for name, place in regions().items():
        festive, weekend = public_holidays(place, year)
        assert 5 <= festive.sum() <= 40, name
        assert len(weekend) in (1, 2), name


def test_an_unknown_region_is_utc_and_said_to_be_unknown() -> None:
    assert place_of("moon-1")[:3] == ("moon-1", "UTC", None)
    assert (places.known("moon-1"), places.known("West Europe")) == (False, True)
    assert place_of("West Europe")[:3] == ("West Europe", "Europe/Amsterdam", "NL")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[aws]\nx = ['Nowhere/City']", 'aws.x: "Nowhere/City" is no IANA time zone'),
        ("[aws]\nx = 'UTC'", r'aws.x: write \["IANA zone"\]'),
        ("[aws", "Correct that line"),
    ],
)  # fmt: skip
def test_a_bad_regions_file_names_the_entry(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "regions.toml"
    path.write_text(text)
    with pytest.raises(BadRegions, match=told):
        regions(path)
