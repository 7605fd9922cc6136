"""The streaming response the backend was not built for."""

from core import ui
from core.audits import streaming_backend

ui.show(streaming_backend)
