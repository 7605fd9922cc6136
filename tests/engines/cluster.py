"""A real Spark standalone cluster for a test session: a master, two workers and a Spark Connect server that wants a token.

Spark itself comes from `make spark-setup`, which installs it into a folder of its own: ENGINES_HOME, or .venvs beside the
sources. Without it, or without Java 17, the tests are skipped and say so.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME_VARIABLE = "ENGINES_HOME"
START_S = 600
"""A quiet machine needs about 40 s; a busy one is no failure."""
_SMALL = {
    "SPARK_DAEMON_MEMORY": "256m",
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
    # The processes live for minutes: the optimising compiler would cost more than it saves.
    "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


def engines_home() -> Path:
    """The folder that `make spark-setup` fills."""
    return Path(os.environ.get(HOME_VARIABLE) or ROOT / ".venvs")


def packages(name: str) -> Path:
    """site-packages of one of its environments; skips the test where it is absent."""
    found = sorted((engines_home() / name).glob("lib/python3.*/site-packages"))
    if not found:
        pytest.skip(f"{engines_home() / name} is not there: make spark-setup, or set {HOME_VARIABLE}")
    return found[0]


def bring_in(name: str) -> None:
    """Make an environment's packages importable, behind our own: what both have is ours."""
    folder = str(packages(name))
    if folder not in sys.path:
        sys.path.append(folder)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Cluster(NamedTuple):
    """A running cluster. `address` is what TRUEUP_ENGINE takes, `token` what the server wants."""

    address: str
    token: str
    port: int
    processes: tuple[subprocess.Popen[bytes], ...]
    folder: Path

    def executors(self) -> list[int]:
        """Process ids of the executors that the workers have started, as the system tells them."""
        workers = {process.pid for process in self.processes}
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
                if b"org.apache.spark.executor.CoarseGrainedExecutorBackend" in words:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    found += [int(entry.name)] if parent in workers else []
            except (OSError, ValueError):  # it ended meanwhile
                continue
        return sorted(found)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()


def _spawn(folder: Path, name: str, *command: str, **more: str) -> subprocess.Popen[bytes]:
    spark = packages("spark") / "pyspark"
    environment = {
        **os.environ, **_SMALL, "SPARK_HOME": str(spark), "SPARK_LOG_DIR": str(folder),
        "SPARK_WORKER_DIR": str(folder / "work"), "SPARK_LOCAL_DIRS": str(folder / "local"),
        "PYSPARK_PYTHON": sys.executable, **more,
    }  # fmt: skip
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            ["nice", "-n", "15", str(spark / "bin" / command[0]), *command[1:]],
            env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder,
        )  # fmt: skip


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"{log.stem} did not come up:\n{log.read_text(errors='replace')[-2000:]}")


def start(folder: Path) -> Cluster:
    """Master, two workers of one core each, and the Connect server, on loopback; ends what began when a part fails."""
    packages("spark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17: apt-get install openjdk-17-jre-headless")
    master_port, port, token = free_port(), free_port(), secrets.token_urlsafe(24)
    begun: list[subprocess.Popen[bytes]] = []
    cluster = Cluster(f"sc://127.0.0.1:{port}", token, port, (), folder)
    try:
        begun.append(
            _spawn(folder, "master", "spark-class", "org.apache.spark.deploy.master.Master",
                   "--host", "127.0.0.1", "--port", str(master_port), "--webui-port", str(free_port()))
        )  # fmt: skip
        _wait(begun[0], master_port, folder / "master.log")
        for number in (1, 2):
            begun.append(
                _spawn(folder, f"worker{number}", "spark-class", "org.apache.spark.deploy.worker.Worker",
                       "--host", "127.0.0.1", "--cores", "1", "--memory", "1g",
                       "--webui-port", str(free_port()), f"spark://127.0.0.1:{master_port}")
            )  # fmt: skip
        begun.append(
            _spawn(
                folder,
                "connect",
                *_connect(master_port, port),
                SPARK_CONNECT_AUTHENTICATE_TOKEN=token,
                SPARK_DAEMON_MEMORY="900m",
            )
        )
        _wait(begun[-1], port, folder / "connect.log")
    except BaseException:
        cluster._replace(processes=tuple(begun)).stop()
        raise
    return cluster._replace(processes=tuple(begun))


def _connect(master_port: int, port: int) -> list[str]:
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "640m",
        "spark.executor.cores": "1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
        "spark.ui.enabled": "false",
    }
    command = [
        "spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
        "--master", f"spark://127.0.0.1:{master_port}", "--driver-memory", "900m",
    ]  # fmt: skip
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    return [*command, "spark-internal"]
