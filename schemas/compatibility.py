"""Is the contract FULL_TRANSITIVE: does every version of a schema read every other?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.definitions import RECORDS, Schema, definition, released
from schemas.resolution import Kind, Problem, read_problems

Direction = Literal["backward", "forward"]

_OWN_FIELD = "keep the released type and put the new one into a field of its own"
_ADVICE: Mapping[Kind, Mapping[Direction, str]] = {
    "missing": {"backward": "give it a default", "forward": "put it back, as it was released without a default"},
    "type": {"backward": _OWN_FIELD, "forward": _OWN_FIELD},
    "name": {"backward": "keep the released name, or list it in aliases", "forward": "keep the released name"},
    "symbols": {"backward": "keep the released symbols, or use a string", "forward": "add no symbol, or use a string"},
}


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """A current schema that breaks with a released one.

    `direction`: backward where the current schema cannot read the released version's bytes, forward where the
    released version cannot read the current one's.
    """

    record: str
    version: int
    direction: Direction
    path: str
    message: str


def breaks(record: str, current: Schema, version: int, old: Schema) -> list[Incompatibility]:
    """What breaks between the current schema of a record and one released version of it, in both directions."""
    backward = [_incompatibility(record, version, "backward", problem) for problem in read_problems(current, old)]
    forward = [_incompatibility(record, version, "forward", problem) for problem in read_problems(old, current)]
    return backward + forward


def check(current: Mapping[str, Schema] | None = None, versions: Mapping[str, Sequence[Schema]] | None = None) -> list[Incompatibility]:
    """FULL_TRANSITIVE: every current schema against all its released versions.

    Both by record name (raw_item, report ...), versions oldest first; by default those of this package.
    """
    current = {name: definition(cls) for name, cls in RECORDS.items()} if current is None else current
    versions = released() if versions is None else versions
    return [
        found
        for record, schema in current.items()
        for version, old in enumerate(versions.get(record, ()), start=1)
        for found in breaks(record, schema, version, old)
    ]


def _incompatibility(record: str, version: int, direction: Direction, problem: Problem) -> Incompatibility:
    who = f"this version cannot read version {version}" if direction == "backward" else f"version {version} cannot read this version"
    message = f"{problem.path}: {problem.message}, so {who}: {_ADVICE[problem.kind][direction]}"
    return Incompatibility(record, version, direction, problem.path, message)
