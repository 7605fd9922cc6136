"""The Spark Connect client: one session, its views over the newest lake, and deadlines of our own.

The client needs no JVM (`pip install -r requirements-spark.txt`). Its own patience is measured in minutes: a wrong address, or
a server that speaks TLS where we do not, was tried again in silence for more than twenty. So the socket is probed first, retries
are few, and the first answer has a deadline. With a token the client takes TLS, but to this machine itself it does not:
there it must be called localhost, whatever the address says.
"""

from __future__ import annotations

import atexit
import re
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import polars as pl

from core.ledger import lake
from core.ledger.engine import EngineProblem, within
from core.ledger.migrations import NEWEST as SCHEMA_VERSION

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

INSTALL = "pip install -r requirements-spark.txt"
PROBE_S, FIRST_ANSWER_S = 5.0, 60.0
"""A connection within a network takes milliseconds; the first question of a cold cluster starts its executors."""
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_RETRIES = 2
_LOST = ("INVALID_HANDLE", "SESSION_CLOSED", "SESSION_NOT_FOUND", "SESSION_CHANGED")
"""The server forgot our session: idle for an hour, or started anew."""
_TYPES = {
    "VARCHAR": "string", "BIGINT": "bigint", "INTEGER": "int", "DOUBLE": "double", "BOOLEAN": "boolean", "DATE": "date",
}  # fmt: skip


class Cluster:
    """A Spark cluster and the lake it reads. Threads may share it."""

    def __init__(
        self, address: str, token: str, path: str, *, first_answer_s: float = FIRST_ANSWER_S
    ) -> None:
        """Connect; raises EngineProblem, within the deadline, that says what to do."""
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or 15002
        if not token:
            raise EngineProblem(
                "engine is set and engine_token is not. Start the Connect server with a token "
                "(SPARK_CONNECT_AUTHENTICATE_TOKEN) and give the same one to TRUEUP_ENGINE_TOKEN."
            )
        self._url = _url(self._host, self._port, token)
        self._path = path.rstrip("/")
        self._first_answer_s = first_answer_s
        self._lock = threading.Lock()
        self._lake: lake.Lake | None = None
        self._session = self._connect()

    def ask(self, text: str, values: Mapping[str, object]) -> pl.DataFrame:
        """The rows of one question in Spark's SQL; a session the server lost is opened anew once."""
        try:
            return self._rows(text, values)
        except _errors() as error:
            if not any(word in str(error) for word in _LOST):
                raise self._problem(error) from error
        with self._lock:
            self._session, self._lake = self._connect(), None
        self.open_newest()
        try:
            return self._rows(text, values)
        except _errors() as error:
            raise self._problem(error) from error

    def open_newest(self) -> lake.Lake:
        """Make the newest lake's tables readable by their names; raises EngineProblem."""
        with self._lock:
            try:
                folder = lake.pointed(self._text(lake.POINTER))
                if self._lake is None or self._lake.folder != folder:
                    found = lake.parsed(self._text(f"{folder}/{lake.MANIFEST}"))
                    self._open(found)
                    self._lake = found
            except lake.LakeProblem as error:
                raise EngineProblem(str(error)) from error
            except _errors() as error:
                raise self._problem(error) from error
            return self._lake

    def close(self) -> None:
        """End the session on the server."""
        self._session.stop()

    def _rows(self, text: str, values: Mapping[str, object]) -> pl.DataFrame:
        found = pl.from_arrow(self._session.sql(text, args=dict(values)).toArrow())
        assert isinstance(found, pl.DataFrame)
        return found

    def _text(self, name: str) -> str:
        rows = self._session.read.text(f"{self._path}/{name}", wholetext=True).collect()
        return str(rows[0][0]) if rows else ""

    def _open(self, found: lake.Lake) -> None:
        if found.schema_version != SCHEMA_VERSION:
            raise EngineProblem(
                f"The lake has schema version {found.schema_version}, this Trueup reads {SCHEMA_VERSION}: "
                "export it again with this one."
            )
        for table in found.tables:
            columns = ", ".join(f"`{name}` {_spark_type(kind)}" for name, kind in table.columns)
            if table.rows:
                frame = self._session.read.schema(columns).parquet(
                    f"{self._path}/{found.folder}/{table.name}"
                )
            else:
                frame = self._session.createDataFrame([], columns)
            frame.createOrReplaceTempView(table.name)

    def _connect(self) -> SparkSession:
        session_of, policy = _client()
        try:
            socket.create_connection((self._host, self._port), timeout=PROBE_S).close()
        except OSError as error:
            raise EngineProblem(
                f"Nothing answers at {self._host}:{self._port} ({error.strerror or error}). Start the Spark Connect server, or "
                "correct the setting engine."
            ) from error

        def first() -> SparkSession:
            session = session_of(connection=self._url)
            # At exit the client would ask the server once more and wait: a process told of a dead server could not end.
            atexit.unregister(session.client._on_exit)
            session.client.set_retry_policies([policy(max_retries=_RETRIES, max_backoff=1000)])
            # Whatever the server's default: a number that does not fit must be an error and no null.
            session.conf.set("spark.sql.ansi.enabled", "true")
            session.sql("select 1 as one").collect()
            return session

        late = (
            f"{self._host}:{self._port} takes connections but gave no answer in {self._first_answer_s:.0f} s. It may be no "
            "Spark Connect server, it may not speak TLS (away from this machine a token is only sent over TLS), or the "
            "cluster may have no free worker."
        )
        try:
            return within(self._first_answer_s, first, late)
        except _errors() as error:
            raise self._problem(error) from error

    def _problem(self, error: BaseException) -> EngineProblem:
        told = str(error)
        if "UNAUTHENTICATED" in told or "authentication token" in told.lower():
            return EngineProblem(
                f"The Spark Connect server at {self._host}:{self._port} refuses the token: engine_token must be the "
                "server's SPARK_CONNECT_AUTHENTICATE_TOKEN."
            )
        if "PATH_NOT_FOUND" in told or "FileNotFound" in told:
            return EngineProblem(
                f"Spark's workers see no lake at {self._path}. Write one (python -m core export-lake PATH) where they can "
                "read it, and give that place to the setting lake."
            )
        return EngineProblem(f"Spark did not answer: {told.strip().partition(chr(10))[0][:300]}")


def _url(host: str, port: int, token: str) -> str:
    given = quote(token, safe="")
    if host in _LOOPBACK:
        return f"sc://localhost:{port}/;token={given}"
    return f"sc://{f'[{host}]' if ':' in host else host}:{port}/;token={given};use_ssl=true"


def _spark_type(kind: str) -> str:
    if kind.endswith("[]"):
        return f"array<{_spark_type(kind[:-2])}>"
    if not re.fullmatch(r"DECIMAL\([0-9]+,[0-9]+\)", kind) and kind not in _TYPES:
        raise lake.LakeProblem(f"The lake has a column of type {kind[:40]!r}, which Trueup does not write.")
    return _TYPES.get(kind, kind.lower())


def _client() -> tuple[Any, Any]:
    try:
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession
    except ImportError as error:
        raise EngineProblem(
            f"The Spark client is not installed ({error.name}). Install it: {INSTALL}"
        ) from error
    return SparkSession, DefaultPolicy


def _errors() -> tuple[type[BaseException], ...]:
    """What the client raises; empty where it is not installed, so that nothing is caught."""
    try:
        from grpc import RpcError
        from pyspark.errors import PySparkException
    except ImportError:
        return ()
    return (PySparkException, RpcError)
