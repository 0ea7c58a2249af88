"""``python -m benchmarks.embedding WAY DATA SECONDS``: measures one way in this process, prints figures as JSON."""

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.scenario import Figures

if __name__ == "__main__":
    way, data, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    began = time.perf_counter()
    measure: Callable[[Path, float, float], Figures] = import_module(f"benchmarks.embedding.{way}").measure
    print(json.dumps(measure(data, seconds, began)))
