"""`make bench`: every comparison of docs/benchmarks.md; name some to run only these."""

from __future__ import annotations

import logging
import sys

from tests.bench import chain, collector, correlation, dedupe, feeds, language, live, memory, near, tagging

ALL = {
    "chain": chain.main,
    "correlation": correlation.main,
    "dedupe": dedupe.main,
    "near": near.main,
    "memory": memory.main,
    "feeds": feeds.main,
    "collector": collector.main,
    "live": live.main,
    "language": language.main,
    "tagging": tagging.main,
}

if __name__ == "__main__":
    logging.disable(logging.WARNING)
    for name in sys.argv[1:] or ALL:
        ALL[name]()
