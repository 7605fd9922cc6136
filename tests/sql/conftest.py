"""A real PostgreSQL for a test session: started by an unprivileged user, on a Unix socket, with a password."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PASSWORD = "correct-horse-7"


class Postgres(NamedTuple):
    """A running server: its socket's folder. `url` with another password fails as a person's would."""

    folder: Path

    def url(self, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://reader:{password}@/postgres?host={self.folder}"


def _binary(name: str) -> str | None:
    found = shutil.which(name)
    return found or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )


def _someone_else() -> str:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    initdb, pg_ctl = _binary("initdb"), _binary("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    # Short and readable for the other user: a socket's path has at most 107 characters, and tmp_path is private.
    folder = Path(tempfile.mkdtemp(prefix="trueup-pg-", dir="/tmp"))
    who = _someone_else()
    shutil.chown(folder, who)
    (folder / "password").write_text(PASSWORD)
    shutil.chown(folder / "password", who)
    cluster = folder / "data"

    def run(*command: str) -> None:
        done = subprocess.run(command, user=who, capture_output=True, text=True, check=False, cwd=folder,
                              env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    run(
        initdb,
        "-D",
        str(cluster),
        "-U",
        "reader",
        "--auth=scram-sha-256",
        f"--pwfile={folder / 'password'}",
        "-N",
    )
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run(pg_ctl, "-D", str(cluster), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield Postgres(folder)
    finally:
        run(pg_ctl, "-D", str(cluster), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)
