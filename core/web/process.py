"""The state of the running app that its routes share."""

from __future__ import annotations

import dataclasses
import threading
import time

import anyio

from core.addresses import is_loopback
from core.ledger.store import Store
from core.projects import DEFAULT, prefix
from core.settings import Settings
from core.web.admission import Admission
from core.web.token_table import TokenTable
from core.workers import Workers

VERSION = "0.1.0"


class NotReady(RuntimeError):
    """The ledger is not open yet, or no longer."""


@dataclasses.dataclass
class Process:
    """Settings, where the web server listens, the open ledger, and what last failed beside the requests.

    One for the instance, which is the default project's, and in it one for each other project.
    """

    settings: Settings
    host: str
    port: int
    store: Store | None = None
    started: float = dataclasses.field(default_factory=time.monotonic)
    derive_error: str | None = None
    retention_error: str | None = None
    watch_error: str | None = None
    pull_error: str | None = None
    alert_error: str | None = None
    metrics_error: str | None = None
    grpc_error: str | None = None
    admission: Admission = dataclasses.field(init=False)
    one_backup: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    engine_error: str | None = None
    tokens_error: str | None = None
    tokens: TokenTable = dataclasses.field(init=False)
    workers: Workers = dataclasses.field(init=False)
    others: dict[str, Process] = dataclasses.field(default_factory=dict)
    """The other projects by name; empty in those themselves."""
    _limiter: list[anyio.CapacityLimiter] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.admission = Admission(self.settings.ingest_memory_mib << 20)
        self.tokens = TokenTable(self.settings)
        self.workers = Workers(self.settings.worker_processes)

    @property
    def project(self) -> str:
        """Its name."""
        return self.settings.project

    def add(self, settings: Settings) -> None:
        """Take up another project. Room for bodies, turns for costly questions, workers and tokens are those of the instance."""
        own = Process(settings, self.host, self.port)
        own.admission, own._limiter, own.tokens = self.admission, self._limiter, self.tokens
        own.workers = self.workers
        self.tokens.add(settings)
        self.others[settings.project] = own

    def every(self) -> tuple[Process, ...]:
        """All projects, the default one first."""
        return (self, *self.others.values())

    def of(self, project: str) -> Process:
        """A project's own."""
        return self if project == DEFAULT else self.others[project]

    def ledger(self) -> Store:
        """The open store; raises NotReady during start and shutdown."""
        if self.store is None:
            raise NotReady("The ledger is not open. The app is starting or stopping; try again in a second.")
        return self.store

    def uptime_s(self) -> float:
        """Seconds since the process began."""
        return time.monotonic() - self.started

    def address(self) -> str:
        """http://host:port for this machine; an app that listens everywhere answers on loopback."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def public_url(self) -> str:
        """Where people open the project: the setting, else where it listens."""
        return f"{self.settings.public_url or self.address() + self.settings.base_path}{prefix(self.project)}"

    def one_at_a_time(self) -> anyio.CapacityLimiter:
        """For questions that cost seconds: one thread in all. Made on first use, inside the running event loop."""
        if not self._limiter:
            self._limiter.append(anyio.CapacityLimiter(1))
        return self._limiter[0]

    def reachable_from_outside(self) -> bool:
        """Whether other machines can connect."""
        return not is_loopback(self.host)
