"""One place for all settings: flags, else the environment, else a TOML file, else the defaults; validated once, every error listed."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipeline.settings import CollectSettings, RunSettings, Settings
from schemas.errors import UsageError
from schemas.kafka.registry import RegistrySettings
from schemas.kafka.settings import KafkaSettings, TopicSettings

Key = tuple[str, ...]

_PREFIX = "DIJLA_"
_NESTING = "__"
# Where pydantic's words do not say what to write.
_ALLOWED = {
    "path_not_file": "there is no such file",
    "time_delta_parsing": "should be a duration: 00:00:30, PT30S, 14 days",
}


class Config(BaseModel):
    """Every setting, in sections; frozen, picklable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    pipeline: Settings = Settings()
    run: RunSettings = RunSettings()
    collect: CollectSettings = CollectSettings()
    schema_registry: RegistrySettings | None = None


class _Source(NamedTuple):
    """Where a user writes settings: `spell` gives a setting's name there, `suffix` the place."""

    spell: Callable[[Key], str]
    suffix: str = ""


class _Given(NamedTuple):
    value: object
    source: _Source


def load(file: Path | None = None, flags: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """The settings of a TOML file, overruled by DIJLA_SECTION__NAME of the environment, overruled by `flags` ("section.name"; None is not given).

    Raises UsageError: one message that lists every wrong setting as the user wrote it.
    """
    in_file = _of_file(file) if file else {}
    given = in_file | _of_environment(environment) | _of_flags(flags or {})
    problems = [_secret_in_file(key, one) for key, one in in_file.items() if is_secret(key)]
    try:
        config = Config.model_validate(_nested(given))
    except ValidationError as error:
        problems += [problem for details in error.errors(include_url=False) for problem in _explained(details, given)]
    if problems:
        # Not chained: the error below holds the values, secrets among them.
        raise UsageError("\n  ".join(["wrong settings:", *problems])) from None
    return config


def settings(section: type[BaseModel] = Config, above: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Every setting there is: its path and its field."""
    for name, field in section.model_fields.items():
        inner = next((kind for kind in _kinds(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner:
            yield from settings(inner, (*above, name))
        else:
            yield (*above, name), field


def is_secret(key: Key) -> bool:
    """Whether this setting must never be shown."""
    field = dict(settings()).get(key)
    return field is not None and SecretStr in _kinds(field.annotation)


def _kinds(annotation: Any) -> Iterator[Any]:
    """A type and all that it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def toml_name(key: Key) -> str:
    """`kafka.bootstrap_servers`: with its section."""
    return ".".join(key)


def environment_name(key: Key) -> str:
    """`DIJLA_KAFKA__BOOTSTRAP_SERVERS`."""
    return _PREFIX + _NESTING.join(key).upper()


def flag_name(key: Key) -> str:
    """`--bootstrap-servers`: without its section; a URL is called by it: `--schema-registry`."""
    return "--" + key[-2 if key[-1] == "url" else -1].replace("_", "-")


def _of_file(file: Path) -> dict[Key, _Given]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file}: is no TOML: {error}") from error
    source = _Source(toml_name, f" in {file}")
    return {key: _Given(value, source) for key, value in _flat(tables)}


def _flat(table: Mapping[str, Any], above: Key = ()) -> Iterator[tuple[Key, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, (*above, name))
        else:
            yield (*above, name), value


def _of_environment(environment: Mapping[str, str]) -> dict[Key, _Given]:
    """An empty variable counts as not set."""
    known = [environment_name(key) for key, _ in settings()]
    # Kubernetes sets DIJLA_SERVICE_HOST and its like for a service called dijla: what resembles no setting is not ours.
    ours = {name for name in environment if name.startswith(_PREFIX) and (_NESTING in name or difflib.get_close_matches(name, known, cutoff=0.9))}
    source = _Source(environment_name)
    return {tuple(name.removeprefix(_PREFIX).lower().split(_NESTING)): _Given(environment[name], source) for name in sorted(ours) if environment[name]}


def _of_flags(flags: Mapping[str, object]) -> dict[Key, _Given]:
    source = _Source(flag_name)
    return {tuple(name.split(".")): _Given(value, source) for name, value in flags.items() if value is not None}


def _nested(given: Mapping[Key, _Given]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    # The longest first: a plain value in a section's place then hides the section, and is reported.
    for key in sorted(given, key=len, reverse=True):
        table = nested
        for name in key[:-1]:
            table = table.setdefault(name, {})
        table[key[-1]] = given[key].value
    return nested


def _secret_in_file(key: Key, given: _Given) -> str:
    return f"{toml_name(key)}{given.source.suffix}: secrets come from the environment or from files only: set {environment_name(key)}, or {toml_name(key)}_file"


def _explained(details: ErrorDetails, given: Mapping[Key, _Given]) -> Iterator[str]:
    """The problems that one error of pydantic stands for."""
    place = tuple(str(part) for part in details["loc"])
    message = _ALLOWED.get(details["type"]) or details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if details["type"] == "extra_forbidden":
        yield from (_unknown(key, one.source) for key, one in given.items() if key[: len(place)] == place)
    elif culprit := next((key for key in given if place[: len(key)] == key), None):
        yield f"{_shown(culprit, given[culprit])}: {message}"
    else:
        yield from (f"[{toml_name(place)}] {line}" for line in message.splitlines())


def _unknown(key: Key, source: _Source) -> str:
    """Without its value: it may be a secret under a misspelt name."""
    written, known = source.spell(key), [known for known, _ in settings()]
    nearest = difflib.get_close_matches(written, map(source.spell, known), n=1) or [source.spell(other) for other in known if other[-1] == key[-1]]
    return f"{written}{source.suffix}: unknown setting" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _shown(key: Key, given: _Given) -> str:
    written = given.source.spell(key) + given.source.suffix
    return written if is_secret(key) else f"{written}: {str(given.value)[:200]!r}"
