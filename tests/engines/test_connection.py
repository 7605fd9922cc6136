"""What an engine that cannot be asked says, without a cluster: the token, the lake, the client that is not installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from core.ledger.current import attach_engine
from core.ledger.engine import Embedded, EngineProblem, shaped, within
from core.ledger.spark import Cluster, _url
from core.ledger.store import Store
from core.settings import BadSetting, Settings, read_settings

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-some-length"


def test_a_token_is_required() -> None:
    with pytest.raises(EngineProblem, match="engine is set and engine_token is not"):
        Cluster("sc://127.0.0.1:15002", "", "/srv/lake")


def test_a_lake_is_required(store: Store) -> None:
    with pytest.raises(EngineProblem, match=r"lake is not: write one with python -m core export-lake PATH"):
        attach_engine(store, Settings(engine="sc://127.0.0.1:15002", engine_token=TOKEN))
    assert isinstance(store.engine, Embedded)


def test_without_an_engine_the_file_answers(store: Store) -> None:
    attach_engine(store, Settings())
    assert isinstance(store.engine, Embedded)


def test_a_client_that_is_not_installed_is_told_with_the_command(store: Store) -> None:
    if importlib.util.find_spec("pyspark") is not None:
        pytest.skip("the Spark client is installed here")
    settings = Settings(engine="sc://127.0.0.1:15002", engine_token=TOKEN, lake="/srv/lake")
    with pytest.raises(EngineProblem, match=r"Install it: pip install -r requirements-spark\.txt"):
        attach_engine(store, settings)
    assert (ROOT / "requirements-spark.txt").is_file()


def test_a_token_never_crosses_a_network_in_the_open() -> None:
    """To this machine the client needs the name localhost to leave TLS out; to any other it must not."""
    for host in ("127.0.0.1", "::1", "localhost"):
        assert _url(host, 15002, "t") == "sc://localhost:15002/;token=t"
    assert _url("spark.example.org", 15002, "t") == "sc://spark.example.org:15002/;token=t;use_ssl=true"
    assert _url("2001:db8::7", 15002, "t") == "sc://[2001:db8::7]:15002/;token=t;use_ssl=true"
    assert ";use_ssl=false" not in _url("spark.example.org", 15002, "t;use_ssl=false")


@pytest.mark.parametrize(
    "text",
    ["spark://host:7077", "sc://", "sc://host:0x", "sc://host/;token=secret-of-mine", "sc://me:secret-of-mine@host", "host"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="write sc://host:15002") as told:
        read_settings({"TRUEUP_ENGINE": text}, tmp_path)
    assert "secret-of-mine" not in str(told.value)


def test_settings_do_not_print_the_token(tmp_path: Path) -> None:
    settings = read_settings(
        {"TRUEUP_ENGINE": "sc://spark.example.org", "TRUEUP_ENGINE_TOKEN": TOKEN}, tmp_path
    )
    assert settings.engine == "sc://spark.example.org:15002"
    assert TOKEN not in repr(settings)


def test_an_installation_without_an_engine_imports_no_translator() -> None:
    """sqlglot costs a start some tenths of a second, the client seconds."""
    script = (
        "import sys; from core.ledger.store import Store; from core.audits import every_audit; every_audit()\n"
        "Store.open(':memory:').ask('select 1 as one')\n"
        "assert not {'sqlglot', 'pyspark', 'grpc'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_what_takes_too_long_is_left_behind() -> None:
    import time

    began = time.monotonic()
    with pytest.raises(EngineProblem, match="too late"):
        within(0.2, lambda: time.sleep(5), "too late")
    assert time.monotonic() - began < 4
    assert within(5, lambda: 7, "too late") == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0, "too late")


def test_an_answer_gets_duckdb_s_types_or_is_refused() -> None:
    """Whole numbers of another width fit; a number past the width, another name or another order does not."""
    shape = {"n": pl.Int32(), "day": pl.Date()}
    found = pl.DataFrame({"n": [1, None], "day": [None, None]}, schema={"n": pl.Int64, "day": pl.Date})
    assert shaped(found, shape).schema == shape
    with pytest.raises(EngineProblem, match="does not fit"):
        shaped(found.with_columns(n=pl.lit(2**40)), shape)
    with pytest.raises(EngineProblem, match=r"answered the columns \['day', 'n'\]"):
        shaped(found.select("day", "n"), shape)
