"""`python -m core token` and `audit-log`: tokens of programs, and who did what, straight in the database of what people make.

They need no running app: its doors look there every two seconds.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from typing import Any

from core import audit_log
from core.cli.check import write_csv
from core.settings import Settings
from core.state import State, StateProblem, open_state
from core.tokens import SCOPES, BadToken, forget_token, list_tokens, make_token, revoke_token, token_project

TOKEN_COLUMNS = ("token", "name", "may", "status", "made_by", "made", "ends", "last_used")


def add_access(commands: Any, shared: argparse.ArgumentParser, parser: type[argparse.ArgumentParser]) -> None:
    """The two commands' options."""
    token = commands.add_parser("token", help="make, list and revoke tokens of programs")
    acts = token.add_subparsers(required=True, metavar="ACT", parser_class=parser)
    make = acts.add_parser("make", parents=[shared], help="make one; it is printed once")
    make.add_argument("name", metavar="NAME", help="the program that will hold it")
    make.add_argument(
        "--scope", choices=SCOPES, required=True, help="ingest: send data; read: ask /api/ and /metrics"
    )
    make.add_argument("--days", type=int, metavar="N", help="it ends after so many (default: never)")
    make.set_defaults(run=run_token, act=_make)
    listed = acts.add_parser("list", parents=[shared], help="every token and when it was last used")
    listed.set_defaults(run=run_token, act=_list)
    for name, act, said, text in (
        ("revoke", revoke_token, "revoked", "end one for good"),
        (
            "forget",
            forget_token,
            "forgotten",
            "take one that has ended off the list; its door opens when it was the last",
        ),
    ):
        ending = acts.add_parser(name, parents=[shared], help=text)
        ending.add_argument("token", type=int, metavar="TOKEN", help="its number, as listed")
        ending.set_defaults(run=run_token, act=_end, end=act, said=said)
    log = commands.add_parser("audit-log", parents=[shared], help="who did what, when; oldest first")
    log.add_argument("--format", choices=("csv", "json"), default="csv")
    log.set_defaults(run=run_audit_log)


def run_token(options: argparse.Namespace, settings: Settings) -> int:
    """`token ...`: 1 when it cannot be done, with the reason."""
    state = open_state(settings)
    try:
        options.act(options, state, token_project(settings.project))
    except (BadToken, StateProblem) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    finally:
        state.close()
    return 0


def run_audit_log(options: argparse.Namespace, settings: Settings) -> int:
    """`audit-log`: every act as CSV, or as JSON, one a line."""
    state = open_state(settings)
    try:
        entries = audit_log.entries(state)[::-1]
    except StateProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    finally:
        state.close()
    rows = [
        dict(zip(audit_log.COLUMNS, (one[0], one.at.isoformat(), *one[2:]), strict=True))
        | {"project": settings.project}
        for one in entries
    ]
    if options.format == "csv":
        write_csv(sys.stdout, (*audit_log.COLUMNS, "project"), rows)
    else:
        sys.stdout.writelines(f"{json.dumps(row)}\n" for row in rows)
    return 0


def on_command_line() -> str:
    """Who acts, for the audit log."""
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):  # a container's user has no name
        return "command line"


def _make(options: argparse.Namespace, state: State, project: str | None) -> None:
    print(make_token(state, options.name, options.scope, on_command_line(), options.days, project))
    sys.stderr.write(
        "Keep it now: it is shown once and kept nowhere. A running app knows it within five seconds.\n"
    )


def _list(options: argparse.Namespace, state: State, project: str | None) -> None:
    rows = []
    for one in list_tokens(state):
        moments = [
            at.isoformat(timespec="minutes") if at else ""
            for at in (one.made_at, one.expires_at, one.used_at)
        ]
        told = (one.token_id, one.name, one.scope, one.status, one.author, *moments)
        rows.append(dict(zip(TOKEN_COLUMNS, told, strict=True)))
    write_csv(sys.stdout, TOKEN_COLUMNS, rows)


def _end(options: argparse.Namespace, state: State, project: str | None) -> None:
    name = options.end(state, options.token, on_command_line())
    sys.stderr.write(f"Token {options.token} ({name}) is {options.said}.\n")
