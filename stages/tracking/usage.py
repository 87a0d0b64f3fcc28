"""What a training takes of its machine, as MLflow shows it under system metrics."""

import sys
from importlib.util import find_spec
from typing import Any

MEGABYTE = 1024**2


class Usage:
    """Measured between one call and the next. Where psutil is not installed there is nothing to tell."""

    def __init__(self) -> None:
        self._process: Any = None
        if find_spec("psutil") is not None:
            import psutil

            self._process = psutil.Process()
            self._process.cpu_percent()

    def since(self) -> dict[str, float]:
        """Processor (percent of one core, since the last call), memory and, on a GPU, its memory at most."""
        if self._process is None:
            return {}
        import psutil

        found = {
            "system/process_cpu_percent": self._process.cpu_percent(),
            "system/process_memory_megabytes": self._process.memory_info().rss / MEGABYTE,
            "system/memory_percent": psutil.virtual_memory().percent,
        }
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            found["system/gpu_memory_megabytes"] = torch.cuda.max_memory_allocated() / MEGABYTE
        return found
