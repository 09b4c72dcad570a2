"""Reading JSON that nobody vouches for."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

from schemas.errors import ReadError

Json = dict[str, Any]

_HEX2 = "[0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"\\(?:[^u]|u[dD][89abAB]{_HEX2}\\u[dD][c-fC-F]{_HEX2}|u[dD][89a-fA-F]{_HEX2})")


def loads(text: str) -> Any:
    """The value of a JSON text; a lone surrogate becomes U+FFFD. Raises ReadError with the column where it is no JSON."""
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(lambda match: "\\ufffd" if len(match[0]) == 6 else match[0], text)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ReadError("is JSON nested too deeply to be an item") from error
    except ValueError as error:
        raise ReadError(f"is not JSON: {error}; mend or remove it") from error


def dumps(value: Any) -> bytes:
    """`value` as compact JSON in UTF-8; what JSON does not know is written as its string."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def packed(value: Any) -> bytes:
    """`value` as JSON, zlib-compressed, for RawItem.original."""
    return zlib.compress(dumps(value), 1)


def as_object(value: Any) -> Json:
    """`value` where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """`value` where it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """A string or number as given; None for anything else and for an empty string."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
