"""Projects as folders: made, found, configured, backed up and taken away, each by itself."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from core import project_folders
from core.cli import main
from core.ledger.store import Store
from core.project_folders import MOST, BadProject, every_settings, names, settings_of
from core.roles import check_lists, may, person_of
from core.settings import BadSetting, Settings
from core.state import open_state
from core.tokens import make_token
from tests import otlp_bodies
from tests.projects.world import CALLS, make_projects, three
from tests.web.over_http import wait_for


def written(folder: Path, name: str, text: str) -> Settings:
    """The project's settings after its file says that."""
    (folder / "projects" / name / "trueup.toml").write_text(text)
    return settings_of(Settings(data_dir=folder), name)


def test_who_has_one_project_has_today_s_layout(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert every_settings(settings) == (settings,)
    assert (settings.store_path, settings.project) == (tmp_path / "trueup.duckdb", "default")
    assert settings_of(settings, "default") is settings


@pytest.mark.parametrize("name", ["", "default", "A", "a_b", "../x", "a/b", "1a", "a" * 31, ".", "é"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadProject, match="no name for a project"):
        project_folders.add(Settings(data_dir=tmp_path), name)
    assert not (tmp_path / "projects").exists()


def test_there_are_only_so_many(tmp_path: Path) -> None:
    for number in range(MOST):
        project_folders.add(Settings(data_dir=tmp_path), f"p{number}")
    with pytest.raises(BadProject, match="one app opens no more"):
        project_folders.add(Settings(data_dir=tmp_path), "more")
    (tmp_path / "projects" / "more").mkdir()
    (tmp_path / "projects" / "more" / "trueup.toml").touch()
    with pytest.raises(BadProject, match="at most 8"):
        names(tmp_path)


def test_what_decides_who_sees_what_is_not_inherited(tmp_path: Path) -> None:
    make_projects(tmp_path)
    mine = {
        "viewers": ("*",), "admins": ("ann@example.org",), "ingest_tokens": ("0" * 64,), "read_tokens": ("0" * 64,),
        "watch_folder": tmp_path / "in", "alert_webhook_url": "https://chat.example/x", "capture_content": True,
        "sql_sources": tmp_path / "s.toml", "price_overrides": tmp_path / "p.toml", "retention_days": 3, "lake": "/lake",
        "engine": "sc://x", "otlp_metrics_endpoint": "https://m.example", "backup_dir": tmp_path / "b",
    }  # fmt: skip
    instance = Settings(data_dir=tmp_path, session_hours=3, time_zone="Europe/Berlin", **mine)
    own, nothing = settings_of(instance, "alpha"), Settings()
    assert {key: getattr(own, key) for key in mine} == {key: getattr(nothing, key) for key in mine}
    assert (own.session_hours, own.time_zone, own.project) == (3, "Europe/Berlin", "alpha")
    assert own.data_dir == tmp_path / "projects" / "alpha"


def test_the_claims_of_a_sign_in_give_a_role_in_one_project(tmp_path: Path) -> None:
    make_projects(tmp_path)
    instance = Settings(data_dir=tmp_path, admins=("platform",))
    alpha = written(tmp_path, "alpha", 'viewers = ["*"]\neditors = ["search", "ann@example.org"]')
    beta = settings_of(instance, "beta")
    people = {"platform": {"roles": ["platform"]}, "search": {"roles": ["search"]},
              "ann": {"email": "ann@example.org", "email_verified": True}}  # fmt: skip
    roles = {
        name: [person_of(claims, one).role for one in (instance, alpha, beta)]
        for name, claims in people.items()
    }
    assert roles == {
        "platform": ["admin", "viewer", None], "search": [None, "editor", None], "ann": [None, "editor", None],
    }  # fmt: skip
    assert not may(person_of(people["platform"], beta), "viewer")
    with pytest.raises(BadSetting, match="nobody could sign in"):
        check_lists(False, alpha)


@pytest.mark.parametrize(
    "key", ["bind_address = '0.0.0.0'", "data_dir = '/x'", "engine = 'sc://x'", "viewer = ['*']", "a"]
)
def test_a_file_that_sets_what_is_not_its_own_stops_the_start(tmp_path: Path, key: str) -> None:
    make_projects(tmp_path)
    with pytest.raises(BadSetting):
        written(tmp_path, "alpha", key)


def test_two_projects_read_no_folder_together(tmp_path: Path) -> None:
    make_projects(tmp_path)
    written(tmp_path, "alpha", f"watch_folder = '{tmp_path}/in'")
    written(tmp_path, "beta", f"watch_folder = '{tmp_path}/in/beta'")
    with pytest.raises(BadSetting, match="would be two projects'"):
        every_settings(Settings(data_dir=tmp_path))
    written(tmp_path, "beta", f"watch_folder = '{tmp_path}/in2'")
    assert len(every_settings(Settings(data_dir=tmp_path))) == 3


def test_one_file_of_state_is_nobody_s_but_the_default_project_s(tmp_path: Path) -> None:
    make_projects(tmp_path)
    instance = Settings(data_dir=tmp_path, state_url=f"sqlite:///{tmp_path}/other.sqlite")
    assert settings_of(instance, "alpha").state_url == ""
    make_token(open_state(settings_of(instance, "alpha")), "x", "read", "ann", project="alpha")
    assert (tmp_path / "projects" / "alpha" / "state.sqlite").exists()
    assert not (tmp_path / "other.sqlite").exists()


def test_the_command_line_works_on_one_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data", str(tmp_path)]
    assert main(["projects", "add", "alpha", *where]) == 0
    assert main(["projects", "add", "alpha", *where]) == 1
    body = tmp_path / "spans.json"
    body.write_bytes(otlp_bodies.json_body(CALLS["alpha"]))
    assert main(["ingest", str(body), "--project", "alpha", *where]) == 0
    assert main(["ingest", str(body), "--project", "gamma", *where]) == 1
    assert "There is no project 'gamma'" in capsys.readouterr().err
    counted = []
    for more in ([], ["--project", "alpha"], ["--project", "default"]):
        assert main(["attempts", "--format", "json", *where, *more]) == 0
        counted.append(len(json.loads(capsys.readouterr().out)))
    assert counted == [0, 3, 0]
    assert main(["token", "make", "x", "--scope", "read", "--project", "alpha", *where]) == 0
    capsys.readouterr()
    for more, acts in (
        ([], ["project added,alpha,default"]),
        (["--project", "alpha"], ["token made,1 x (read),alpha"]),
    ):
        assert main(["audit-log", *where, *more]) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        assert [line.split(",", 3)[3] for line in lines] == acts
    assert main(["serve", "--project", "alpha", *where]) == 1
    assert main(["projects", "list", *where]) == 0
    assert [row.split(",")[:2] for row in capsys.readouterr().out.splitlines()[1:]] == [
        ["default", "/"],
        ["alpha", "/p/alpha/"],
    ]


def test_a_backup_of_one_project_holds_it_alone_and_restores_it_alone(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    with three(data) as world:
        running = Settings(data_dir=data, client_token=world.tokens["alpha", "ingest"])
        assert settings_of(running, "alpha").client_token == running.client_token
    where = ["--data", str(data), "--project", "alpha"]
    assert main(["backup", str(copy), *where]) == 0
    for name, more in (("beta", ["--replace"]),):
        assert main(["restore", str(copy), "--data", str(data), "--project", name, *more]) == 0
    held = {}
    for own in every_settings(Settings(data_dir=data)):
        store = Store.open(own.store_path)
        held[own.project] = store.ask("select count(*) from spans").item()
        store.close()
    assert held == {"default": 1, "alpha": 3, "beta": 3}


def test_retention_deletes_in_the_project_that_has_it(tmp_path: Path) -> None:
    with three(tmp_path, {"beta": "retention_days = 1"}) as world:
        wait_for(lambda: not world.traces("beta"))
        assert [len(world.traces(name)) for name in ("default", "alpha")] == [1, 3]


def test_a_project_in_use_stays_and_one_that_goes_is_moved_aside(tmp_path: Path) -> None:
    make_projects(tmp_path)
    settings = Settings(data_dir=tmp_path)
    token = make_token(open_state(settings_of(settings, "alpha")), "x", "read", "ann", project="alpha")
    assert token
    aside = project_folders.remove(settings, "alpha")
    assert names(tmp_path) == ("beta",)
    assert sorted(path.name for path in aside.iterdir()) == ["state.sqlite", "trueup.toml"]
    project_folders.add(settings, "alpha")
    assert open_state(settings_of(settings, "alpha")).is_new()
    for name in ("default", "gamma"):
        with pytest.raises(BadProject):
            project_folders.remove(settings, name)
    with pytest.raises(BadProject, match="a project has no projects"):
        settings_of(dataclasses.replace(settings, project="alpha"), "beta")
