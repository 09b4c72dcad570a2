"""Several sinks as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection


class Both(beam.PTransform[Any, Any]):
    """Records -> each of the sinks, by label; what follows them sees all."""

    def __init__(self, sinks: Mapping[str, beam.PTransform[Any, Any]]) -> None:
        super().__init__()
        self.sinks = sinks

    def expand(self, records: PCollection[Any]) -> Any:
        """The sinks side by side."""
        return tuple(records | label >> sink for label, sink in self.sinks.items()) | beam.Flatten()
