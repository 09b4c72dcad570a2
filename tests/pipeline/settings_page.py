"""The table of docs/settings.md, made from the settings themselves: python -m tests.pipeline.settings_page writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from pydantic import HttpUrl, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from pipeline.cli import main
from pipeline.commands.options import variable
from pipeline.config import environment_name, flag_name, is_secret, settings, toml_name
from tests.pipeline.page_table import DOCS, with_table

PAGE = DOCS / "settings.md"
_TYPES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true, false",
    timedelta: "duration",
    Path: "file",
    HttpUrl: "URL",
    SecretStr: "secret",
}
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def page_with_table() -> str:
    """The page with today's table in it."""
    return with_table(PAGE, _tables())


def _tables() -> Iterator[str]:
    flags = set(_parameters(main))
    for section, members in groupby(settings(), key=lambda member: member[0][:-1]):
        yield f"\n### [{toml_name(section)}]\n| TOML | environment | flag | allowed | default | meaning |\n|---|---|---|---|---|---|\n"
        for key, field in members:
            toml = "not here" if is_secret(key) else f"`{key[-1]}`"
            flag = f"`{flag_name(key)}`" if variable(toml_name(key)) in flags else ""
            yield f"| {toml} | `{environment_name(key)}` | {flag} | {_allowed(field)} | {_default(field)} | {field.description} |\n"
    yield "\n"


def _parameters(command: click.Command) -> Iterator[str]:
    yield from (str(parameter.name) for parameter in command.params)
    if isinstance(command, click.Group):
        for member in command.commands.values():
            yield from _parameters(member)


def _allowed(field: FieldInfo) -> str:
    bounds = [f"{sign} {_plain(getattr(bound, name))}" for bound in field.metadata for name, sign in _SIGNS.items() if hasattr(bound, name)]
    return " ".join([_kind(field.annotation), *bounds])


def _kind(annotation: Any) -> str:
    if annotation in _TYPES:
        return _TYPES[annotation]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    return _kind(get_args(annotation)[0])  # of a union with None, of an annotated type


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    return "" if field.default is None else f"`{_plain(field.default)}`"


def _plain(value: object) -> str:
    return str(TypeAdapter(timedelta).dump_python(value, mode="json") if isinstance(value, timedelta) else value)


if __name__ == "__main__":
    PAGE.write_text(page_with_table(), encoding="utf8")
