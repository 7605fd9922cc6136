"""The folders of projects: made, listed and taken away by the command line, read once at the app's start.

`data_dir` itself is the default project, as it always was. Another is the folder `projects/NAME` in it, with its own ledger,
state, answers and backups, and a file of settings of its own. What belongs to the machine it has from the instance;
whatever says who may do what, where something comes from, goes to or is deleted, begins empty.
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from pathlib import Path

from sqlalchemy.engine import make_url

from core.ledger.file import LedgerFile, Unusable
from core.projects import DEFAULT
from core.settings import CONFIG_NAME, FIELDS, BadSetting, Settings, read_file
from core.state import open_state

FOLDER = "projects"
REMOVED = "removed-projects"
MOST = 8
"""Each has an open DuckDB file, a writer and a worker for its board: more want another instance, on another machine."""
NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
SHARED = (
    "bind_address", "port", "grpc_port", "base_path", "public_url", "role_claim", "session_hours", "state_url", "client_token",
    "body_limit_mib", "file_limit_mib", "queue_limit", "ingest_memory_mib", "derive_seconds", "watch_seconds", "time_zone",
    "currency", "smtp_host", "smtp_port", "smtp_tls", "smtp_user", "smtp_password_env",
)  # fmt: skip
"""Settings a project has from the instance; every other has its default, or what the project's own file says."""
OWN = (
    "backup_dir", "ingest_tokens", "read_tokens", "viewers", "editors", "admins", "retention_days", "sql_sources",
    "watch_folder", "capture_content", "price_overrides", "currency", "alert_webhook_url", "alert_webhook_format",
    "alert_email_to", "alert_email_from", "otlp_metrics_endpoint", "otlp_metrics_headers", "lake",
)  # fmt: skip
"""Settings that a project's own file may hold. The engine is not among them: DuckDB answers."""
TEMPLATE = """\
# Settings of the project {name}. Nobody may see it who is on no list here, unless nobody signs in at all.
# viewers = ["{name}-readers"]
# editors = []
# admins = []
# retention_days = 90
"""


class BadProject(ValueError):
    """A project that cannot be made, found or taken away; the message says what to do."""


def names(data_dir: Path) -> tuple[str, ...]:
    """The projects beside the default one, by name; raises BadProject for too many."""
    found = sorted(path.parent.name for path in (data_dir / FOLDER).glob(f"*/{CONFIG_NAME}"))
    if wrong := [name for name in found if name == DEFAULT or not NAME.fullmatch(name)]:
        raise BadProject(f"{data_dir / FOLDER / wrong[0]} is no name of a project. Move that folder away.")
    if len(found) > MOST:
        raise BadProject(f"{data_dir / FOLDER} holds {len(found)} projects; one app opens at most {MOST}.")
    return tuple(found)


def settings_of(settings: Settings, name: str) -> Settings:
    """A project's settings out of the instance's; raises BadProject and BadSetting."""
    if settings.project != DEFAULT:
        raise BadProject(f"These are the settings of {settings.project}: a project has no projects.")
    if name == DEFAULT:
        return settings
    if name not in names(settings.data_dir):
        raise BadProject(
            f"There is no project {name[:40]!r} in {settings.data_dir}. See: python -m core projects list"
        )
    folder = settings.data_dir / FOLDER / name
    own = read_file(folder / CONFIG_NAME)
    if foreign := [key for key in own if key not in OWN]:
        raise BadSetting(
            f"{folder / CONFIG_NAME}: {foreign[0]} is not a project's to set. Its own are: {', '.join(OWN)}."
        )
    shared = {key: getattr(settings, key) for key in SHARED}
    if _is_file(settings.state_url):  # else all would write into one file
        del shared["state_url"]
    return Settings(**(shared | own | {"data_dir": folder, "project": name}))


def every_settings(settings: Settings) -> tuple[Settings, ...]:
    """The instance's settings, then each project's; raises BadProject and BadSetting, also for a folder that two would use."""
    found = (settings, *(settings_of(settings, name) for name in names(settings.data_dir)))
    for key in ("watch_folder", "lake", "backup_dir"):
        given = [Path(str(value)).resolve() for one in found if (value := getattr(one, key))]
        for at, folder in enumerate(given):
            if any(folder == other or folder in other.parents for other in given[:at] + given[at + 1 :]):
                raise BadSetting(
                    f"{key}: {folder} would be two projects'. Give each a folder outside the others'."
                )
    return found


def root_of(settings: Settings) -> Path:
    """The instance's data folder."""
    return settings.data_dir if settings.project == DEFAULT else settings.data_dir.parent.parent


def add(settings: Settings, name: str) -> Path:
    """Make a project's folder and return it; raises BadProject."""
    if name == DEFAULT or not NAME.fullmatch(name):
        raise BadProject(
            f"{name[:40]!r} is no name for a project: write 1 to 30 small letters, digits and hyphens, a letter first, "
            f"and not {DEFAULT}."
        )
    there = names(settings.data_dir)
    if name in there:
        raise BadProject(f"There is a project {name} already.")
    if len(there) >= MOST:
        raise BadProject(f"There are {MOST} projects beside the default one, and one app opens no more.")
    folder = settings.data_dir / FOLDER / name
    try:
        folder.mkdir(parents=True, mode=0o700)
        (folder / CONFIG_NAME).write_text(TEMPLATE.format(name=name), encoding="utf-8")
    except OSError as error:
        raise BadProject(f"{folder} could not be made: {error.strerror or error}.") from error
    return folder


def remove(settings: Settings, name: str) -> Path:
    """Move a project's folder aside and return where it went. Raises BadProject, StateProblem, and StoreLocked while
    anybody has its ledger open.

    In PostgreSQL its schema is renamed: a later project of that name must find neither its views nor its tokens.
    """
    if name == DEFAULT:
        raise BadProject("The default project is data_dir itself and cannot be removed.")
    own = settings_of(settings, name)
    folder, stamp = own.data_dir, f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}"
    if own.store_path.exists():
        with suppress(Unusable):  # a damaged file may go too
            LedgerFile(own.store_path, threads=1).close()
    aside = settings.data_dir / REMOVED / f"{name}-{stamp}"
    state = open_state(own)
    try:
        state.set_aside(f"removed_{stamp.lower()}")
    finally:
        state.close()
    try:
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        folder.rename(aside)
    except OSError as error:
        raise BadProject(f"{folder} could not be moved: {error.strerror or error}.") from error
    return aside


def _is_file(url: str) -> bool:
    return bool(url) and make_url(url).get_backend_name() == "sqlite"


assert set(SHARED) | set(OWN) <= set(FIELDS), "a setting was renamed"
