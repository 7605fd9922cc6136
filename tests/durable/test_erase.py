"""A person is erased: no row tells of them, no byte of the file names them, nobody else's rows or sums are touched."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from core import view
from core.audit import Scope
from core.cli import main
from core.erasing import BadSubject, subject_of
from core.ledger.batch import Batch, Quarantined
from core.ledger.store import NothingToErase, Store
from tests.ledger.test_store import a_trace
from tests.web.over_http import over_http
from tests.web.test_process import command_line, fetch, fetch_json

PERSON, OTHER = "ann.example@mail.test", "joann.example@mail.test"
HASH, OTHER_HASH = (hashlib.sha256(one.encode()).hexdigest()[:16] for one in (PERSON, OTHER))
HERS, ALSO_HERS, THEIRS = "a1" * 16, "a2" * 16, "b1" * 16
AT_NS = 1_795_000_000 * 10**9
DAY = dt.date(2026, 11, 18)


def rows_of(
    trace: str, hash16: str | None, attributes: str = "{}", conversation: str | None = None
) -> list[dict[str, object]]:
    root, *rest = a_trace(trace, 2)
    more = {"enduser_hash": hash16, "attributes": attributes, "gen_ai_conversation_id": conversation}
    return [root | more, *(row | dict.fromkeys(more) for row in rest)]


def filled(path: Path) -> Store:
    """Two traces of the person, one known by her hash and one by a text only, one of another; and what hangs on them."""
    store = Store.open(path)
    store._file.connection.execute(
        "set force_compression = 'uncompressed'"
    )  # so that bytes can be looked for
    spans = pl.DataFrame(
        [
            *rows_of(HERS, HASH, conversation="talk-of-ann"),
            *rows_of(ALSO_HERS, None, json.dumps({"to": f"mailto:{PERSON},{PERSON}"})),
            *rows_of(THEIRS, OTHER_HASH, json.dumps({"to": OTHER})),
        ],
        infer_schema_length=None,
    ).with_columns(gen_ai_response_id=pl.when(pl.col("span_id") == "c").then("resp_" + pl.col("trace_id")))
    told = {"at_ns": AT_NS, "day": DAY, "name": "score", "source": "human"}
    outcomes = [
        {**told, "outcome_key": "1", "trace_id": HERS}, {**told, "outcome_key": "2", "subject_hash": HASH},
        {**told, "outcome_key": "3", "trace_id": THEIRS, "actor_hash": HASH},
        {**told, "outcome_key": "4", "response_id": f"resp_{HERS}"},
    ]  # fmt: skip
    line = {
        "source_format": "litellm", "measure": "cost", "charge_period_start_ns": AT_NS, "charge_period_end_ns": AT_NS + 1,
        "day": DAY, "charge_category": "Usage",
    }  # fmt: skip
    lines = [
        {**line, "line_key": f"k|{PERSON}", "tags": json.dumps({"user": PERSON})},
        {**line, "line_key": "k2", "tags": json.dumps({"user": OTHER})},
    ]
    costs = pl.DataFrame(lines).with_columns(billed_cost=pl.Series([1.5, 2.5]).cast(pl.Decimal(24, 12)))
    answers = [
        {"response_key": str(number), "at_ns": AT_NS, "day": DAY, "response_id": answer}
        for number, answer in enumerate((f"resp_{ALSO_HERS}", f"resp_{THEIRS}"))
    ]
    asked = {"request_id": "r1", "subject_hash": HASH, "received_at_ns": AT_NS}
    frames = {
        "spans": spans, "outcomes": pl.DataFrame(outcomes, infer_schema_length=None), "cost_lines": costs,
        "responses": pl.DataFrame(answers), "erasure_requests": pl.DataFrame([asked]),
        "span_events": pl.DataFrame([{"trace_id": HERS, "span_id": "r", "name": "e", "at_ns": AT_NS, "day": DAY}]),
    }  # fmt: skip
    refused = [
        Quarantined(7, "start", "no time", f'{{"user":"{PERSON}"}}'), Quarantined(8, "start", "no time", OTHER)
    ]  # fmt: skip
    store.submit(Batch(f"export of {PERSON}.json", "test", "s1", 20, frames, refused))
    store.derive()
    return store


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def named(store: Store, table: str, column: str) -> set[object]:
    return set(store.ask(f"select {column} from {table}")[column])


def test_no_row_and_no_byte_of_the_person_is_left(tmp_path: Path) -> None:
    store = filled(tmp_path / "trueup.duckdb")
    theirs = store.ask(
        "select * exclude (import_id) from attempts where trace_id = $t order by all", t=THEIRS
    )
    store._file.connection.execute("checkpoint")
    needles = [text.encode() for text in (HASH, f'"{PERSON}"', HERS, "talk-of-ann")]
    there = bytes_of(tmp_path)
    assert all(needle in there for needle in needles), "the test could not find what it looks for"

    erased = store.erase(subject_of([PERSON]))
    store.compact()
    store.derive()
    assert (erased.trace_count, erased.import_id, store.version()) == (2, 2, 2)
    for table in ("spans", "runs", "calls", "attempts"):
        assert named(store, table, "trace_id") == {THEIRS}, table
    assert named(store, "outcomes", "outcome_key") == {
        "3"
    }  # a rating she gave of somebody else stays, without her
    assert named(store, "outcomes", "actor_hash") == {"erased"}
    assert named(store, "responses", "response_id") == {f"resp_{THEIRS}"}
    assert store.ask("select row_text from quarantine").rows() == [(OTHER,)]
    assert named(store, "erasure_requests", "subject_hash") == {"erased"}
    assert store.ask("select sum(billed_cost)::double from cost_lines").item() == 4.0
    assert named(store, "cost_lines", "line_key") == {"k|erased", "k2"}
    assert json.loads(store.ask("select tags from cost_lines where line_key = 'k2'").item()) == {
        "user": OTHER
    }
    assert store.ask("select source from imports where import_id = 1").item() == "export of erased.json"
    after = store.ask("select * exclude (import_id) from attempts where trace_id = $t order by all", t=THEIRS)
    assert after.equals(theirs)
    store.close()
    left = bytes_of(tmp_path)
    assert not [needle for needle in needles if needle in left]
    assert OTHER.encode() in left


def test_the_deletion_is_recorded_without_a_name_and_links_say_so(tmp_path: Path) -> None:
    store = filled(tmp_path / "trueup.duckdb")
    scope = Scope(dt.date(2026, 1, 1), dt.date(2027, 1, 1), as_of=1)
    assert view.notes(store.ask, scope, None) == []
    erased = store.erase(subject_of([HASH]))
    recorded = store.ask("select reason, table_name, row_count from deletions order by all").rows()
    assert recorded == sorted(
        [("erasure", *one) for one in erased.deleted.items()]
        + [("redaction", *one) for one in erased.redacted.items()]
    )
    assert erased.deleted["spans"] == 4
    ((_, note),) = view.notes(store.ask, scope, None)
    assert "erased on request" in note
    newest = store.ask("select before_day from deletions limit 1").item()
    assert view.notes(store.ask, scope._replace(start=newest, as_of=2), None) == []
    with pytest.raises(NothingToErase):
        store.erase(subject_of([HASH]))
    assert store.latest_import() == 2
    # The same bytes sent again are known, so they do not bring the rows back.
    assert store.submit(Batch("again", "test", "s1", 1, {})).already_known
    store.close()


def test_a_conversation_and_a_trace_can_be_erased_alone(tmp_path: Path) -> None:
    store = filled(tmp_path / "trueup.duckdb")
    assert store.erase(subject_of(conversation=["talk-of-ann"])).trace_count == 1
    assert named(store, "spans", "trace_id") == {ALSO_HERS, THEIRS}
    assert store.erase(subject_of(trace=[THEIRS])).trace_count == 1
    assert named(store, "spans", "trace_id") == {ALSO_HERS}
    store.close()


def test_whom_to_erase_must_be_said_in_a_way_that_can_be_looked_for() -> None:
    for wrong in ({}, {"subject": [""]}, {"trace": ["A1" * 16]}, {"trace": ["a1"]}):
        with pytest.raises(BadSubject):
            subject_of(**wrong)
    short = subject_of(["42"])
    assert short.hashes == (hashlib.sha256(b"42").hexdigest()[:16],)


def test_an_id_is_found_as_json_writes_it(tmp_path: Path) -> None:
    """A number must stay one, or its JSON could not be read any more; quotes and accents are escaped in JSON."""
    store = Store.open(tmp_path / "trueup.duckdb")
    quoted = 'zoë "zo" ek'
    tickets = [
        {"ticket_id": str(number), "created_at_ns": AT_NS, "day": DAY, "attributes": text}
        for number, text in enumerate(
            (
                '{"user": 1234567, "n": 12345678}',
                json.dumps([quoted]),
                json.dumps([quoted], ensure_ascii=False),
            )
        )
    ]
    store.submit(Batch("t", "t", "s", 3, {"tickets": pl.DataFrame(tickets)}))
    assert store.erase(subject_of(["1234567", quoted])).redacted == {"tickets": 3}
    left = store.ask("select attributes::varchar as told from tickets order by ticket_id")["told"].to_list()
    assert [json.loads(text) for text in left] == [{"user": 0, "n": 12345678}, ["erased"], ["erased"]]
    store.close()


def test_who_may_not_send_may_not_erase_or_copy(tmp_path: Path) -> None:
    token = "a-token-of-some-length"
    hashed = (hashlib.sha256(token.encode()).hexdigest(),)
    with over_http(tmp_path / "ledger", ingest_tokens=hashed) as process:
        for name in ("backup", "erase", "compact"):
            where = f"{process.address()}/api/{name}"
            assert fetch(where, b"", Content_Type="application/octet-stream")[0] == 401
            allowed = {"Authorization": f"Bearer {token}"}
            assert (
                fetch(where, b'{"trace": ["' + b"0" * 32 + b'"]}', Content_Type="text/plain", **allowed)[0]
                == 415
            )


def test_a_short_id_is_not_looked_for_as_text(tmp_path: Path) -> None:
    """Somebody whose id is "k2" must not take the bill line k2 along."""
    store = filled(tmp_path / "trueup.duckdb")
    with pytest.raises(NothingToErase):
        store.erase(subject_of(["k2"]))
    store.close()


def test_compaction_gives_the_space_back_while_questions_are_asked(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "trueup.duckdb")
    for number in range(30):
        frame = pl.DataFrame(a_trace(f"{number:032x}", 300), infer_schema_length=None)
        text = pl.Series(
            [hashlib.sha256(f"{number}/{row}".encode()).hexdigest() * 8 for row in range(frame.height)]
        )
        store.submit(Batch("t", "t", str(number), frame.height, {"spans": frame.with_columns(url_path=text)}))
    kept = store.ask("select * from spans where trace_id = $t order by span_id", t=f"{29:032x}")
    subject = subject_of(trace=[f"{number:032x}" for number in range(29)])
    store.erase(subject)
    compacted = store.compact()
    assert compacted.bytes_after < compacted.bytes_before / 3, compacted
    assert store.ask("select * from spans order by span_id").equals(kept)
    assert store.submit(Batch("t", "t", "more", 0, {})).import_id == 32
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".compact"] == []
    store.close()
    reopened = Store.open(tmp_path / "trueup.duckdb")
    assert reopened.ask("select * from spans order by span_id").equals(kept)
    reopened.close()


def test_the_command_erases_in_the_file_and_through_the_app(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "ledger"
    filled(folder / "trueup.duckdb").close()
    (folder / "backups" / "old").mkdir(parents=True)
    (folder / "answers").mkdir()
    (folder / "answers" / "0-kept.arrow").write_text(PERSON)
    assert main(["erase", "--subject", "nobody@mail.test", "--data", str(folder)]) == 1
    assert main(["erase", "--trace", ALSO_HERS, "--data", str(folder)]) == 0
    assert not list((folder / "answers").iterdir())
    told = capsys.readouterr().out
    assert str(folder / "backups" / "old") in told
    with over_http(folder) as process:
        done = command_line("erase", "--subject", PERSON, "--data", str(folder))
        assert done.returncode == 0, done.stderr
        assert "1 traces" in done.stdout
        assert PERSON not in done.stdout
        shown = fetch_json(f"{process.address()}/api/imports")["rows"]
        assert PERSON not in json.dumps(shown)
        refused = fetch(
            f"{process.address()}/api/erase", b'{"who": []}', Content_Type="application/octet-stream"
        )
        assert refused[0] == 400
        assert fetch(f"{process.address()}/api/erase", b"{}", Content_Type="application/json")[0] == 400
        again = command_line("erase", "--subject", PERSON, "--data", str(folder))
        assert (again.returncode, "No row of the ledger" in again.stderr) == (1, True)
        assert command_line("compact", "--data", str(folder)).returncode == 0
