"""Formats are told apart by content, never by name alone."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest.formats import FORMATS, HEAD_BYTES, UnknownFormat, detect
from core.ingest.otlp.files import signal_of_protobuf
from tests.ingest.eval_files import SHAPES as EVALS
from tests.ingest.otlp_requests import FIXTURES, as_protobuf, fixtures, request, span
from tests.ingest.scrapes import SCRAPES

SAMPLES: tuple[tuple[str, bytes], ...] = (
    ("otlp_traces", orjson.dumps(request(span()))),
    ("otlp_traces", orjson.dumps(request(span()), option=orjson.OPT_INDENT_2)),
    ("otlp_traces", as_protobuf(request(span()))),
    ("otlp_logs", b'{"resourceLogs":[]}\n'),
    ("otlp_metrics", b'{"resourceMetrics":[]}\n'),
    ("prometheus_text", SCRAPES.encode()),
    ("prometheus_text", b'up{job="gateway",instance="gw-1"} 1 1795687200000\n'),
    *((name, shape) for name, shapes in EVALS.items() for shape in shapes),
    (
        "focus",
        b"BilledCost,ChargeCategory,ChargePeriodStart,ChargePeriodEnd\n1,Usage,2026-01-01,2026-01-02\n",
    ),
    ("callers", b"service_name,provider_name,sub_account_id,api_key_id\nshop,openai,proj_1,\n"),
    (
        "outcomes_csv",
        b"ts,trace_id,response_id,conversation_id,span_id,name,value,label,source,actor,comment\n"
        b"2026-11-20T10:05:00Z,858bfae005a281be2a05aa6c0d3117cc,,,,user_feedback,0,down,human,u-1,wrong\n"
        b"2026-11-21T10:05:00Z,,chatcmpl-9,,,correctness,0.5,,model,,\n",
    ),
    (
        "features",
        b"response_key,ts,prompt_id,chosen,reward,length_chars,apologies,trace_id,text,more\n"
        b"r-1,2026-11-20T10:00:00Z,p-1,true,1.25,20,0,858bfae005a281be2a05aa6c0d3117cc,,x\n"
        b"r-2,1795000000,p-1,false,0.5,,,,Sorry,\n",
    ),
    (
        "change_events",
        b"event_id,ts,kind,title,service_name,region,model,attributes,tpm\n"
        b"d-1,2026-11-20T09:00:00Z,deploy,shop 2.4.1,shop,,,,\n,2026-11-21,limit,Tier 4,,,m,,2000000\n",
    ),
    (
        "change_events",
        b'[{"event_id":"d-1","ts":"2026-11-20T09:00:00Z","kind":"deploy","title":"shop 2.4.1",'
        b'"attributes":{"tpm":5}}]',
    ),
    (
        "langsmith_feedback",
        b'[{"id":"01a200f0-ed79-768e-9a25-24ac798aa883","created_at":"2026-11-22T01:48:39.161527+00:00",'
        b'"run_id":"6cfe6df3-ac74-4603-8d33-e3fe3cbc43cc","trace_id":"6cfe6df3-ac74-4603-8d33-e3fe3cbc43cc",'
        b'"key":"user_score","score":0,"value":"thumbs_down","comment":"wrong city","correction":{"city":"Paris"},'
        b'"feedback_source":{"type":"api","metadata":{"user":"u-123"}}}]',
    ),
    (
        "probes",
        b'{"probe_id":"a","prompt_id":"sum-1","region":"eu-west-1","at":"2026-11-02T04:00:07Z","text":"4"}\n',
    ),
    (
        "streams",
        b'{"stream_id":"s-1","at":"2026-11-02T04:00:07.120Z","provider":"openai","model":"gpt-4o","prompt_id":"p-1",'
        b'"response_id":"chatcmpl-9","output_tokens":8,"t_ms":[412.0,431.5,440.0],"tokens":[1,4,3],"chars":[4,19,11],'
        b'"kind":["reasoning","text","tool_call"],"sentence_end":[0,1,0]}\n',
    ),
    (
        "vllm_bench",
        b'{"date":"20261120-101500","endpoint_type":"openai","model_id":"m","tokenizer_id":"m","num_prompts":2,'
        b'"request_rate":"inf","input_lens":[5,6],"output_lens":[8,2],"ttfts":[0.2,0.3],"itls":[[0.02,0.03],[0.5]],'
        b'"start_times":[1.0,1.5],"generated_texts":["a","b"],"errors":["",""]}',
    ),
    (
        "livekit_metrics",
        b'{"type":"eou_metrics","room":"r","speech_id":"s1","timestamp":1795000000.4,"end_of_utterance_delay":0.4,'
        b'"transcription_delay":0.3,"on_user_turn_completed_delay":0}\n'
        b'{"type":"llm_metrics","room":"r","speech_id":"s1","timestamp":1795000001.42,"duration":1,"ttft":0.25}\n'
        b'{"type":"message_metrics","room":"r","speech_id":"s1","metrics":{"started_speaking_at":1795000000.9,'
        b'"e2e_latency":0.9}}\n{"type":"client_audio","room":"r","speech_id":"s1","voice_to_voice_secs":1.1}\n',
    ),
    (
        "pipecat_metrics",
        b'{"type":"LatencyBreakdown","conversation_id":"c","turn":1,"measured_from":"user_silence","total_secs":0.9,'
        b'"user_turn_start_time":1795000000,"user_turn_secs":0.4,"ttfb":[{"processor":"OpenAILLMService#0",'
        b'"start_time":1795000000.42,"duration_secs":0.2}],"contributions":[{"key":"endpointing_wait",'
        b'"start_time":1795000000,"duration_secs":0.2}],"function_calls":[]}\n'
        b'{"type":"TTFATMetricsData","conversation_id":"c","turn":1,"ttfat":0.3,"ttfb":0.2,"thinking_time":0.1}\n',
    ),
    ("litellm", b'[{"request_id":"a","call_type":"acompletion","spend":0.1}]'),
    (
        "aws_cur",
        b"identity_line_item_id,line_item_line_item_type,line_item_unblended_cost,line_item_currency_code\n"
        b"a,Usage,1.5,USD\n",
    ),
    (
        "azure_costs",
        b"\xef\xbb\xbfDate,MeterName,UnitOfMeasure,Quantity,CostInBillingCurrency,BillingCurrencyCode,ChargeType\n"
        b"11/20/2026,gpt 4o 1120 Inp glbl Tokens,1K,1,0.1,EUR,Usage\n",
    ),
    (
        "gcp_billing",
        b'{"service": {"description": "Vertex AI"}, "usage_start_time": "2026-11-20 10:00:00 UTC", "cost": 1.0,'
        b' "cost_type": "regular", "export_time": "2026-11-20 16:00:00 UTC"}\n',
    ),
    (
        "anthropic_billing",
        b'{"data":[{"starting_at":"2026-01-01T00:00:00Z","ending_at":"2026-01-02T00:00:00Z","results":[{"cost_type":"tokens"}]}]}',
    ),
    (
        "langfuse",
        b'{"id":"b8f4c93492258369","traceId":"858bfae005a281be2a05aa6c0d3117cc","type":"GENERATION",'
        b'"startTime":"2026-11-20T10:00:00.000Z"}\n',
    ),
    (
        "phoenix",
        b'{"data": [{"name": "ChatCompletion", "context": {"trace_id": "43f3f3666f40095161e1c2407fc36448", '
        b'"span_id": "0837fc0369d63d8f"}, "parent_id": null, "start_time": "2026-11-22T01:07:41+00:00"}]}',
    ),
    ("openrouter", b'{"data":[{"date":"2026-01-01","usage":1,"byok_usage_inference":0}]}'),
    (
        "openai_costs",
        b'{"data":[{"object":"bucket","start_time":1,"results":[{"object":"organization.costs.result"}]}]}',
    ),
    (
        "openai_usage",
        b'{"data":[{"object":"bucket","start_time":1,"results":[{"object":"organization.usage.completions.result"}]}]}',
    ),
)


@pytest.mark.parametrize(("name", "head"), SAMPLES)
@pytest.mark.parametrize("file_name", ["traces.otlp.jsonl", "focus.csv", "x.bin"])
def test_detected_by_content_whatever_the_name(name: str, head: bytes, file_name: str) -> None:
    assert detect(head, file_name).name == name


def test_unknown_content_lists_what_is_known() -> None:
    with pytest.raises(UnknownFormat) as caught:
        detect(b"hello", "traces.otlp.jsonl")
    assert all(known.title in str(caught.value) for known in FORMATS)


def test_names_are_unique_and_every_sample_is_here() -> None:
    names = [known.name for known in FORMATS]
    assert len(names) == len(set(names))
    assert {name for name, _ in SAMPLES} == set(names)


def test_captured_protobuf_bodies_are_told_apart() -> None:
    fixtures()
    for path in FIXTURES.glob("*/raw/[0-9]*.pb"):
        signal = path.stem.rpartition("_")[2]
        assert signal_of_protobuf(path.read_bytes()[:HEAD_BYTES]) == f"otlp_{signal}", path.name


@given(st.binary(max_size=200))
def test_detection_never_raises_on_any_bytes(head: bytes) -> None:
    for body in (head, b"\n" + head, as_protobuf(request(span()))[: len(head)]):
        signal_of_protobuf(body)
        for known in FORMATS:
            known.detect(body, "x")
