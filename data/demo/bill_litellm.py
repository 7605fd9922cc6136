"""LiteLLM's spend log: one row a logical call of the gateway's one team, joined by the provider's response id.

Shape: rows of LiteLLM 1.106 (`/spend/logs`), one JSON object a line. A row covers the call with all its
re-sends; a failed call has spend 0 and the gateway's own id.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from random import Random

from data.demo.prices import call_usd, money
from data.demo.world import Call, Run

KEY_HASH = "5f2b8c0e4d3a9b7715c6e0fa2d48b1936e7ac5024f8d19b3c07e6a5d4b3c2f10"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _instant(at_ns: int) -> str:
    moment = _EPOCH + dt.timedelta(microseconds=at_ns // 1000)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f+00:00")


def _metadata(call: Call, gateway_id: str) -> str:
    usage = {
        "completion_tokens": call.output_tokens,
        "prompt_tokens": call.input_tokens,
        "total_tokens": call.input_tokens + call.output_tokens,
        "completion_tokens_details": {"reasoning_tokens": call.reasoning_tokens},
        "prompt_tokens_details": {"cached_tokens": call.cache_read_tokens},
    }
    retries = len(call.sends) - 1
    return json.dumps(
        {
            "user_api_key": KEY_HASH,
            "user_api_key_team_id": "team-knowledge",
            "litellm_call_id": gateway_id,
            "status": "failure" if call.error else "success",
            "usage_object": usage if not call.error else None,
            "attempted_retries": retries if retries else None,
            "max_retries": None,
            "attempted_fallbacks": None,
        }
    )


def spend_row(rng: Random, run: Run, call: Call) -> str:
    """One line of the log."""
    raw = rng.randbytes(16).hex()
    gateway_id = f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"
    spend = Decimal(0) if call.error else call_usd(call)
    row = {
        "request_id": call.response_id or gateway_id,
        "call_type": "acompletion",
        "api_key": KEY_HASH,
        "cache_hit": "None",
        "startTime": _instant(call.start_ns),
        "endTime": _instant(call.sends[-1].end_ns),
        "completionStartTime": _instant(call.sends[-1].end_ns),
        "model": call.model.snapshot,
        "user": "svc-kb-answer",
        "team_id": "team-knowledge",
        "organization_id": "",
        "metadata": _metadata(call, gateway_id),
        "total_tokens": call.input_tokens + call.output_tokens,
        "prompt_tokens": call.input_tokens,
        "completion_tokens": call.output_tokens,
        "request_tags": '["service:kb-answer", "env:production"]',
        "end_user": "",
        "api_base": "https://api.openai.com/v1/",
        "custom_llm_provider": "openai",
        "messages": "{}",
        "response": "{}",
        "session_id": run.conversation,
        "request_duration_ms": (call.sends[-1].end_ns - call.start_ns) // 1_000_000,
        "status": "failure" if call.error else "success",
        "litellm_call_id": gateway_id,
    }
    # The amount goes in as text, so that a Decimal keeps its digits.
    return f'{{"spend": {money(spend)}, {json.dumps(row)[1:]}'


def damaged_rows(number: int) -> list[str]:
    """Lines cut off in the middle, as a full disk leaves them."""
    return [f'{{"spend": 0.0{index}, "request_id": "chatcmpl-cut' for index in range(number)]
