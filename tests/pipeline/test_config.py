"""One place for all settings: who overrules whom, and what is said about what is wrong."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.commands.options import config_options
from pipeline.config import Config, environment_name, is_secret, load, settings, toml_name
from schemas.errors import UsageError
from tests.pipeline.settings_page import PAGE, page_with_table

ROOT = PAGE.parent.parent
SECRET = "open-sesame-4711"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dijla.toml"


def problems(file: Path | None = None, flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load(file, flags, environment or {})
    assert SECRET not in f"{caught.value!s}{caught.value!r}{caught.value.__cause__!r}"
    first, *others = str(caught.value).splitlines()
    assert first == "wrong settings:"
    return [other.strip() for other in others]


def test_flags_before_environment_before_file_before_defaults(file: Path) -> None:
    file.write_text('[run]\ngroup = "of the file"\nsplits = 2\npoll = "PT1S"')
    environment = {"DIJLA_RUN__GROUP": "of the environment", "DIJLA_RUN__SPLITS": "3", "DIJLA_RUN__IN_FLIGHT": "", "HOME": "/"}
    config = load(file, {"run.group": "of the flag", "run.poll": None}, environment)
    assert (config.run.group, config.run.splits, config.run.poll, config.run.in_flight) == ("of the flag", 3, timedelta(seconds=1), 20_000)


def test_without_anything_the_defaults() -> None:
    assert load(environment={}) == Config()


def test_deeper_sections_and_durations(file: Path) -> None:
    file.write_text('[topics.retention_days]\nraw = 3\n[pipeline]\ndedupe_ttl = "2 days"')
    config = load(file, environment={"DIJLA_TOPICS__RETENTION_DAYS__EVENTS": "4"})
    assert (config.topics.retention_days.raw, config.topics.retention_days.events) == (3, 4)
    assert config.pipeline.dedupe_ttl == timedelta(days=2)


def test_everything_wrong_is_listed_at_once_as_it_was_written(file: Path) -> None:
    file.write_text(
        'shards = 3\n[kafka]\nsecurity_protocl = "SSL"\nssl_cafile = "/no/such/file"\n[topics]\npartitions = 0\nmin_insync_replicas = 3\n'
        '[topics.retention_days]\nraw = "a month"\n[pipline]\nslice_items = 1\nslice_bytes = 1'
    )
    flags = {"kafka.bootstrap_servers": "kafka-1", "run.splits": 0}
    environment = {"DIJLA_KAFKA__SECURITY_PROTOCOL": "TLS", "DIJLA_RUN__POLL": "soon", "DIJLA_RUN__GRUOP": "a", "DIJLA_KAFKA_CLIENT_ID": "b"}
    assert set(problems(file, flags, environment)) == {
        "--bootstrap-servers: 'kafka-1': must be HOST:PORT, several separated by commas",
        "--splits: '0': should be greater than or equal to 1",
        "DIJLA_KAFKA__SECURITY_PROTOCOL: 'TLS': should be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'",
        "DIJLA_RUN__POLL: 'soon': should be a duration: 00:00:30, PT30S, 14 days",
        "DIJLA_RUN__GRUOP: unknown setting; did you mean DIJLA_RUN__GROUP?",
        "DIJLA_KAFKA_CLIENT_ID: unknown setting; did you mean DIJLA_KAFKA__CLIENT_ID?",
        f"kafka.security_protocl in {file}: unknown setting; did you mean kafka.security_protocol?",
        f"kafka.ssl_cafile in {file}: '/no/such/file': there is no such file",
        f"topics.partitions in {file}: '0': should be greater than or equal to 1",
        f"topics.retention_days.raw in {file}: 'a month': should be a valid integer, unable to parse string as an integer",
        f"pipline.slice_items in {file}: unknown setting; did you mean pipeline.slice_items?",
        f"pipline.slice_bytes in {file}: unknown setting; did you mean pipeline.slice_bytes?",
        f"shards in {file}: unknown setting; did you mean pipeline.shards?",
    }


def test_what_a_text_may_be_made_of_is_said_in_words() -> None:
    assert problems(environment={"DIJLA_TOPICS__PREFIX": "osint raw", "DIJLA_COLLECT__CONTACT": "a (b)"}) == [
        "DIJLA_TOPICS__PREFIX: 'osint raw': should be of A-Z a-z 0-9 . _ - alone, at most 200 of them",
        "DIJLA_COLLECT__CONTACT: 'a (b)': should be 3 to 200 printable ASCII characters, no space, ( ) or \\ among them",
    ]


def test_contradictions_name_their_section() -> None:
    environment = {"DIJLA_KAFKA__SECURITY_PROTOCOL": "SASL_SSL", "DIJLA_KAFKA__SASL_MECHANISM": "PLAIN", "DIJLA_TOPICS__MIN_INSYNC_REPLICAS": "2"}
    assert problems(environment=environment) == [
        "[kafka] sasl_mechanism PLAIN needs sasl_username",
        "[kafka] sasl_mechanism PLAIN needs sasl_password_file, or sasl_password from the environment",
        "[topics] min_insync_replicas (2) is above replication (1): nothing could be written",
    ]


def test_a_plain_value_in_place_of_a_section(file: Path) -> None:
    file.write_text('kafka = "localhost"')
    assert problems(file, {"kafka.bootstrap_servers": "a:1"}) == [f"kafka in {file}: 'localhost': should be a valid dictionary or instance of KafkaSettings"]


def test_other_variables_with_our_prefix_are_not_ours() -> None:
    """Kubernetes sets such for services called dijla and dijla-kafka."""
    assert load(environment={"DIJLA_SERVICE_HOST": "10.0.0.1", "DIJLA_PORT_9090_TCP": "tcp://10.0.0.1:9090", "DIJLA_KAFKA_SERVICE_PORT": "9092"}) == Config()


@pytest.mark.parametrize("key", [key for key, _ in settings() if is_secret(key)], ids=toml_name)
def test_a_secret_in_the_file_is_refused(file: Path, key: tuple[str, ...]) -> None:
    name = toml_name(key)
    file.write_text(f"{name} = '{SECRET}'")
    first = problems(file)[0]
    assert first == f"{name} in {file}: secrets come from the environment or from files only: set {environment_name(key)}, or {name}_file"
    file.write_text(f"{name} = 4711")
    assert "4711" not in "".join(problems(file)).replace(str(file), "")


def test_a_secret_under_a_misspelt_name_is_not_shown(file: Path) -> None:
    file.write_text(f"kafka.sasl_pasword = '{SECRET}'")
    assert problems(file, None, {"DIJLA_KAFKA__SASL_PASWORD": SECRET}) == [
        "DIJLA_KAFKA__SASL_PASWORD: unknown setting; did you mean DIJLA_KAFKA__SASL_PASSWORD?"
    ]
    assert problems(file) == [f"kafka.sasl_pasword in {file}: unknown setting; did you mean kafka.sasl_password?"]


def test_a_secret_is_not_shown_with_the_settings() -> None:
    login = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN", "SASL_USERNAME": "alice", "SASL_PASSWORD": SECRET}
    config = load(environment={f"DIJLA_KAFKA__{name}": value for name, value in login.items()})
    assert config.kafka.password() == SECRET
    assert SECRET not in f"{config!r}{config.model_dump()}{config.model_dump_json()}"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file"), (b"[kafka", "is no TOML"), (b"\xff", "is no TOML")],
)
def test_a_file_that_cannot_be_read(file: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=f"^{re.escape(str(file))}: {message}"):
        load(file, environment={})


def test_a_command_with_flags_for_settings(file: Path) -> None:
    @click.command()
    @config_options("kafka.bootstrap_servers", "run.group")
    @click.option("--json", "as_json", is_flag=True)
    def command(config: Config, as_json: bool) -> None:
        click.echo(json.dumps([config.kafka.bootstrap_servers, config.run.group, config.run.splits, as_json]))

    file.write_text('[run]\nsplits = 5\ngroup = "of the file"')
    done = CliRunner().invoke(command, ["--config", str(file), "--bootstrap-servers", "a:1", "--json"])
    assert json.loads(done.output) == ["a:1", "of the file", 5, True]
    told = CliRunner().invoke(command, ["--help"]).output
    assert "Consumer group" in told
    assert "[default: localhost:9092]" in told
    assert "wrong settings" in str(CliRunner().invoke(command, ["--bootstrap-servers", "a"]).exception)


def test_the_example_has_every_setting_and_its_default() -> None:
    example = ROOT / "deploy" / "dijla.example.toml"
    assert load(example, environment={}) == Config()
    tables = tomllib.loads(re.sub(r"(?m)^# (?=\w+ = |\[)", "", example.read_text(encoding="utf8")))
    named = {(*path, name) for path, table in _tables(tables) for name in table}
    assert named == {key for key, _ in settings() if not is_secret(key)}


def _tables(table: dict[str, object], above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], list[str]]]:
    inner = [found for name, value in table.items() if isinstance(value, dict) for found in _tables(value, (*above, name))]
    return [(above, [name for name, value in table.items() if not isinstance(value, dict)]), *inner]


def test_the_page_has_every_setting() -> None:
    assert PAGE.read_text(encoding="utf8") == page_with_table(), "write it anew: python -m tests.pipeline.settings_page"
