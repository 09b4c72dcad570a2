"""Settings of Kafka: what is refused, and that a secret stays one."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.errors import UsageError
from schemas.kafka.settings import KafkaSettings, TopicSettings

SECRET = "open-sesame-4711"
LOGIN = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "alice"}
OAUTH = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "oauth_token_endpoint": "https://id.test/token", "oauth_client_id": "dijla"}


def refusal(given: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as caught:
        KafkaSettings.model_validate(given)
    assert SECRET not in f"{caught.value!s}{caught.value!r}"
    return str(caught.value)


@pytest.mark.parametrize(
    ("servers", "addresses"),
    [
        ("localhost:9092", [("localhost", 9092)]),
        ("a.test:1, b.test:65535", [("a.test", 1), ("b.test", 65535)]),
        ("[::1]:9092", [("::1", 9092)]),
    ],
)
def test_addresses(servers: str, addresses: list[tuple[str, int]]) -> None:
    assert KafkaSettings(bootstrap_servers=servers).addresses == addresses


@pytest.mark.parametrize("servers", ["", "localhost", ":9092", "a:0", "a:65536", "a:b", "a:1,", "a:-1"])
def test_what_is_no_address(servers: str) -> None:
    assert "must be HOST:PORT, several separated by commas" in refusal({"bootstrap_servers": servers})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sasl_username": "a"}, "sasl_username would not be used with security_protocol PLAINTEXT: set SASL_SSL"),
        ({"security_protocol": "SSL", "sasl_password": SECRET}, "sasl_password would not be used with security_protocol SSL"),
        ({"ssl_cafile": __file__}, "ssl_cafile would not be used with security_protocol PLAINTEXT: set SSL or SASL_SSL"),
        ({"security_protocol": "SSL", "ssl_keyfile": __file__}, "ssl_keyfile is set without the ssl_certfile"),
        ({"security_protocol": "SASL_SSL"}, "security_protocol SASL_SSL needs sasl_mechanism"),
        (LOGIN, "sasl_mechanism PLAIN needs sasl_password_file, or sasl_password from the environment"),
        ({**LOGIN, "sasl_username": None, "sasl_password": SECRET}, "sasl_mechanism PLAIN needs sasl_username"),
        ({**LOGIN, "sasl_password": SECRET, "sasl_password_file": __file__}, "both sasl_password and sasl_password_file are set"),
        ({**LOGIN, "sasl_password": "**********"}, "is a mask of asterisks"),
        ({**LOGIN, "sasl_mechanism": "GSSAPI", "sasl_password": SECRET}, "'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512' or 'OAUTHBEARER'"),
        (OAUTH, "sasl_mechanism OAUTHBEARER needs oauth_client_secret_file"),
        ({**OAUTH, "oauth_token_endpoint": f"https://dijla:{SECRET}@id.test"}, "oauth_token_endpoint must hold no user name or password"),
        ({"sasl_pasword": SECRET}, "Extra inputs are not permitted"),
        ({"ssl_cafile": "/no/such/file"}, "not point to a file"),
    ],
)
def test_what_does_not_fit_together(given: dict[str, object], message: str) -> None:
    assert message in refusal(given)


def test_contradictions_are_listed_together() -> None:
    message = refusal({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "ssl_cafile": __file__})
    assert all(part in message for part in ("needs sasl_username", "needs sasl_password_file", "ssl_cafile would not be used"))


def test_a_secret_is_not_shown() -> None:
    settings = KafkaSettings.model_validate({**LOGIN, "sasl_password": SECRET})
    assert settings.password() == SECRET
    assert SECRET not in f"{settings!r}{settings!s}{settings.model_dump()}{settings.model_dump_json()}"


def test_a_secret_of_a_file_is_read_when_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f" {SECRET}\r\n")
    settings = KafkaSettings.model_validate({**OAUTH, "oauth_client_secret_file": file})
    assert settings.client_secret() == f" {SECRET}"
    file.write_text("rotated")
    assert settings.client_secret() == "rotated"


@pytest.mark.parametrize(("content", "message"), [(b"\n", "is empty"), (b"\xff" + SECRET.encode(), "is no UTF-8 text"), (None, "cannot be read: No such file")])
def test_a_file_without_a_secret(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"once")
    settings = KafkaSettings.model_validate({**LOGIN, "sasl_password_file": file})
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        settings.password()
    assert str(file) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_equal_settings_have_equal_pickles_in_every_process(tmp_path: Path) -> None:
    """Beam keeps readers by the pickle of their source."""
    file = tmp_path / "ca.pem"
    file.touch()
    settings = KafkaSettings.model_validate({**LOGIN, "sasl_password": SECRET, "ssl_cafile": file})
    pickled = pickle.dumps(settings)
    again = pickle.loads(pickled)
    assert again == settings
    assert hash(again) == hash(settings)
    assert again.password() == SECRET
    script = "import pickle, sys; sys.stdout.buffer.write(pickle.dumps(pickle.loads(sys.stdin.buffer.read())))"
    for seed in ("1", "2"):
        done = subprocess.run([sys.executable, "-c", script], input=pickled, capture_output=True, check=True, env=os.environ | {"PYTHONHASHSEED": seed})
        assert done.stdout == pickled


def test_topics_that_nothing_could_be_written_to() -> None:
    with pytest.raises(ValidationError, match=r"min_insync_replicas \(2\) is above replication \(1\)"):
        TopicSettings(min_insync_replicas=2)
    for prefix in ("a b", "a/b", "x" * 250):
        with pytest.raises(ValidationError, match="prefix"):
            TopicSettings(prefix=prefix)
