"""Pipecat: latency metrics of a pipeline as JSON lines.

    from pipecat_lines import Lines
    lines = Lines(conversation_id, service_name="my-agent", region="eu-west-1")
    task = PipelineTask(pipeline, params=PipelineParams(enable_metrics=True), observers=lines.observers())

Written for pipecat-ai 1.14.
"""

import json
from pathlib import Path

from pipecat.frames.frames import MetricsFrame
from pipecat.metrics.metrics import TTFAMetricsData, TTFATMetricsData
from pipecat.observers.base_observer import BaseObserver
from pipecat.observers.user_bot_latency_observer import UserBotLatencyObserver


class Lines:
    def __init__(self, conversation_id, service_name=None, region=None, path="voice-metrics.jsonl"):
        self.named = {"conversation_id": conversation_id, "service_name": service_name, "region": region}
        self.path, self.turn = Path(path), 1

    def put(self, kind, line):
        with self.path.open("a") as out:
            out.write(json.dumps({**line, **self.named, "type": kind, "turn": self.turn}, default=str) + "\n")

    def observers(self):
        latency = UserBotLatencyObserver()

        @latency.event_handler("on_latency_breakdown")
        async def _breakdown(observer, breakdown):
            self.put("LatencyBreakdown", breakdown.model_dump(mode="json"))
            self.turn += 1

        return [latency, _Frames(self)]


class _Frames(BaseObserver):
    """First audible sound and first token of the answer, each once: an observer sees a frame at every processor."""

    def __init__(self, lines):
        super().__init__()
        self.lines, self.seen = lines, set()

    async def on_push_frame(self, data):
        if not isinstance(data.frame, MetricsFrame) or data.frame.id in self.seen:
            return
        self.seen.add(data.frame.id)
        for one in data.frame.data:
            if isinstance(one, (TTFAMetricsData, TTFATMetricsData)):
                self.lines.put(type(one).__name__, one.model_dump(mode="json"))
