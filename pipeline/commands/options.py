"""Flags for settings: the command gets one Config, made of the flags, the environment and the TOML file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.config import Config, flag_name, load, settings

if TYPE_CHECKING:
    from schemas.kafka.topics import Topics


def config_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command `--config` and a flag for each named setting ("kafka.bootstrap_servers"), and hand it `config: Config`.

    Help and default are the setting's own. Values are checked by Config alone, so that all errors are listed at once.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_config(*args: Any, config_file: Path | None, **options: Any) -> None:
            flags = {name: options.pop(variable(name)) for name in names}
            command(*args, config=load(config_file, flags), **options)

        decorated: Callable[..., None] = with_config
        for name in reversed(names):
            decorated = _flag(name)(decorated)
        return click.option(
            "--config", "config_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.toml", help="Settings: docs/settings.md."
        )(decorated)

    return decorate


kafka_options = config_options("kafka.bootstrap_servers")


def _flag(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    key = tuple(name.split("."))
    field = dict(settings())[key]
    shown = "" if field.default is None or field.is_required() else f"  [default: {field.default}]"
    return click.option(flag_name(key), variable(name), metavar=_metavar(key), help=f"{field.description}{shown}")


def variable(name: str) -> str:
    """The parameter of a command that stands for a setting: `kafka__bootstrap_servers`."""
    return name.replace(".", "__")


def _metavar(key: tuple[str, ...]) -> str:
    return "HOST:PORT" if key[-1].endswith("servers") else "URL" if key[-1] == "url" else "VALUE"


def host_and_port(text: str) -> tuple[str, int]:
    """Of HOST:PORT as --monitor takes it."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise click.BadParameter(f"{text}: give HOST:PORT", param_hint="--monitor")
    return host, int(port)


def checked_topics(config: Config, *kinds: str) -> Topics:
    """The topics. Raises UsageError where one of these kinds ("raw", "cursors") is not as it must be."""
    from schemas.errors import UsageError
    from schemas.kafka.clients import admin
    from schemas.kafka.topics import Topics, problems, specs

    topics = Topics.of(config.topics)
    names = {getattr(topics, kind) for kind in kinds}
    with admin(config.kafka) as client:
        if wrong := problems(client, [spec for spec in specs(config.topics) if spec.name in names]):
            raise UsageError("the topics are not as they must be:\n  " + "\n  ".join(wrong))
    return topics
