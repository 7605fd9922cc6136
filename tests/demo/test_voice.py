"""The demo's voice calls: the thinking is found, dated and sized; the quiet concierge holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.audits import voice_slo
from core.audits.voice_slo_measure import Voice
from data.demo.plan import first_day
from data.demo.voice import CALLS_A_DAY, CONCIERGE, LAST_DAYS, PARTS, TURNS, write_voice
from tests.demo.beside import SCOPE, loaded


def measured(folder: Path, quiet: bool) -> tuple[Voice, dict[str, Any]]:
    world = loaded(folder, write_voice, quiet)
    found = voice_slo.measure(voice_slo.load(world.store.ask, SCOPE), SCOPE)
    world.store.close()
    assert isinstance(found, Voice)
    return found, world.truth


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> tuple[Voice, dict[str, Any]]:
    return measured(tmp_path_factory.mktemp("voice") / "loud", False)


def test_thinking_is_found_dated_and_sized(loud: tuple[Voice, dict[str, Any]]) -> None:
    found, truth = loud
    planted = truth["turns"][-28 * CALLS_A_DAY * TURNS :]
    assert len(found.turns) == len(planted) == 28 * CALLS_A_DAY * TURNS
    assert voice_slo.judge(found).status == "broken"
    parts = {part.name: part.mean_ms for part in found.parts}
    for name, of in (
        ("thinking", ("thinking",)), ("first LLM token", ("first_token",)), ("sentence", ("sentence",)),
        ("final transcript", ("transcription",)), ("endpointing", ("endpointing_wait", "turn_detection")),
        ("leading silence", ("silence",)), ("transport", ("network", "output_transport")), ("remainder", ("unexplained",)),
    ):  # fmt: skip
        mean = sum(turn[part] for turn in planted for part in of) / len(planted)
        assert parts[name] == pytest.approx(mean * 1000, abs=0.05), name
    began = first_day(90).toordinal() + truth["planted"]["thinking_from_day"]
    assert {one.turn.day.toordinal() >= began for one in found.turns if one.ms > 1500} == {True}
    assert [title for _, title in found.changes] == [f"{CONCIERGE} 1.8.0: reasoning on"]
    assert max(found.ttft_ms) < 300  # a dashboard of first tokens stays green
    whole = sorted(sum(turn[name] for name in PARTS) * 1000 for turn in planted)
    assert found.p95.value == pytest.approx(whole[int(0.95 * len(whole)) - 1])


def test_a_concierge_that_does_not_think_holds(tmp_path: Path) -> None:
    found, _ = measured(tmp_path / "quiet", True)
    finding = voice_slo.judge(found)
    assert (finding.status, finding.missing) == ("holds", "")
    assert next(part.mean_ms for part in found.parts if part.name == "thinking") == 0
    assert found.placebo is not None
    assert not found.placebo.fired


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_voice(tmp_path / name, 50, False, 3, None)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == LAST_DAYS + 1
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
