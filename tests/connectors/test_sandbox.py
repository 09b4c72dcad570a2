"""The process that parsers may break."""

from __future__ import annotations

import os

import pytest

from connectors._sandbox import Sandbox
from schemas.errors import ReadError


def test_call_gives_what_the_function_returns_and_keeps_its_process() -> None:
    with Sandbox(cpu_seconds=5, memory_bytes=1 << 30) as sandbox:
        assert sandbox.call("os:getpid") == sandbox.call("os:getpid") != os.getpid()


@pytest.mark.parametrize(
    ("function", "arguments", "says"),
    [
        ("math:sqrt", (-1,), "made the parser fail: ValueError"),
        ("builtins:bytearray", (1 << 40,), "made the parser fail: MemoryError"),
        ("math:factorial", (10**8,), "more than 1 s of CPU time"),
        ("os:abort", (), "ended the parser's process"),
        ("os:_exit", (0,), "ended the parser's process"),
    ],
)
def test_failing_call_says_why_and_the_next_one_works(function: str, arguments: tuple[int, ...], says: str) -> None:
    with Sandbox(cpu_seconds=1, memory_bytes=1 << 30) as sandbox:
        with pytest.raises(ReadError, match=says):
            sandbox.call(function, *arguments)
        assert sandbox.call("math:sqrt", 4) == 2


def test_what_a_library_prints_disturbs_nothing() -> None:
    with Sandbox(cpu_seconds=5, memory_bytes=1 << 30) as sandbox:
        assert sandbox.call("builtins:print", "noise") is None
        assert sandbox.call("os:system", "echo noise") == 0


def test_closing_twice_is_fine() -> None:
    sandbox = Sandbox(cpu_seconds=5, memory_bytes=1 << 30)
    sandbox.call("os:getpid")
    sandbox.close()
    sandbox.close()
