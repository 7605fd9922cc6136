"""LiveKit Agents: metrics of a session as JSON lines.

    from livekit_lines import write_lines
    write_lines(session, room=ctx.room.name, service_name="my-agent", region="eu-west-1")

Call it before session.start. Written for livekit-agents 1.8.
"""

import json
from pathlib import Path


def write_lines(session, room, service_name=None, region=None, path="voice-metrics.jsonl"):
    named = {"room": room, "service_name": service_name, "region": region}

    def put(line):
        with Path(path).open("a") as out:
            out.write(json.dumps({**line, **named}, default=str) + "\n")

    @session.on("metrics_collected")  # deprecated in 1.8, and the only place where a metric has its speech_id
    def _metrics(event):
        put(event.metrics.model_dump())

    @session.on("speech_created")
    def _speech(event):
        event.speech_handle.add_done_callback(_spoken)

    def _spoken(handle):
        for item in handle.chat_items:
            report = getattr(item, "metrics", None)
            if report and getattr(item, "role", "") == "assistant":
                kept = {
                    name: report[name] for name in ("started_speaking_at", "e2e_latency") if name in report
                }
                put({"type": "message_metrics", "speech_id": handle.id, "metrics": kept})
