"""The Confluent wire format with a real registry, and with one that is ill."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from schemas.avro import RECORDS, Schema, definition
from schemas.errors import SchemaError, UsageError
from schemas.kafka.envelope import event_message
from schemas.kafka.registry import Confluent, Registry, RegistryFailure, RegistrySettings, RegistryUnreachable, SchemaRefused
from schemas.records import Event, RawItem
from tests.schemas.apicurio import apicurio

# One registry for all of them, where the workers share out by group.
pytestmark = pytest.mark.xdist_group("registry")

ITEM = RawItem(item_id="a" * 32, native_id="1", source_id="sample.outlet-a", source_type="rss", title="قصف")
NOON = datetime(2020, 12, 20, 12, 0, tzinfo=UTC)
EVENT = Event(event_id="e" * 32, revision=0, content_hash="c" * 16, change="new", type="riot", status="reported", first_seen=NOON, last_seen=NOON)


@pytest.fixture(scope="module")
def url(kafka_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apicurio(tmp_path_factory.mktemp("apicurio")) as (url, _):
        yield url


@pytest.fixture
def topic() -> str:
    return f"sample.{uuid.uuid4().hex[:12]}"


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    registry = Registry(RegistrySettings(url=url))
    yield registry
    registry.close()


def broken(schema: Schema) -> Schema:
    """The schema with a required field of another type: no version may read the other."""
    fields = [{**field, "type": "int"} if field["name"] == "native_id" else field for field in schema["fields"]]
    return {**schema, "fields": fields}


def put(url: str, topic: str, schema: Schema) -> None:
    answer = httpx.post(f"{url}/subjects/{topic}-value/versions", json={"schema": json.dumps(schema)})
    assert answer.is_success, answer.text


def test_a_record_goes_out_and_comes_back_in_the_confluent_format(registry: Registry, topic: str) -> None:
    codec = Confluent(registry)
    message = event_message(topic, EVENT, codec)
    assert message.value is not None
    assert message.value[:5] == b"\0" + registry.id_of(Event, topic).to_bytes(4, "big")
    assert codec.decode(message.value, Event) == EVENT


def test_the_schema_stands_under_the_topics_subject_full_transitive(url: str, registry: Registry, topic: str) -> None:
    schema_id = registry.id_of(RawItem, topic)
    assert httpx.get(f"{url}/config/{topic}-value").json() == {"compatibilityLevel": "FULL_TRANSITIVE"}
    version = httpx.get(f"{url}/subjects/{topic}-value/versions/latest").json()
    assert (version["id"], json.loads(version["schema"])) == (schema_id, definition(RawItem))


@pytest.mark.parametrize("cls", RECORDS.values())
def test_every_schema_of_ours_is_accepted_and_registered_once(url: str, topic: str, cls: type[RawItem]) -> None:
    first, second = Registry(RegistrySettings(url=url)), Registry(RegistrySettings(url=url))
    assert first.id_of(cls, topic) == second.id_of(cls, topic)
    assert httpx.get(f"{url}/subjects/{topic}-value/versions").json() == [1]
    first.close()
    second.close()


def test_a_reader_with_an_older_schema_in_the_registry_reads_on(url: str, registry: Registry, topic: str) -> None:
    fields = [field for field in definition(RawItem)["fields"] if field["name"] != "kafka"]
    put(url, topic, {**definition(RawItem), "fields": fields})
    assert registry.problem(definition(RawItem), topic) is None
    assert Confluent(registry).decode(Confluent(registry).encode(ITEM, topic), RawItem) == ITEM
    assert httpx.get(f"{url}/subjects/{topic}-value/versions").json() == [1, 2]


def test_an_incompatible_schema_is_refused_with_the_reason(url: str, registry: Registry, topic: str) -> None:
    put(url, topic, broken(definition(RawItem)))
    httpx.put(f"{url}/config/{topic}-value", json={"compatibility": "FULL_TRANSITIVE"})
    assert "STRING not compatible with writer type: INT at /fields/1/type" in str(registry.problem(definition(RawItem), topic))
    with pytest.raises(SchemaRefused, match=rf"refuses the schema .*{topic}-value.*STRING not compatible with writer type: INT at /fields/1/type"):
        Confluent(registry).encode(ITEM, topic)
    assert httpx.get(f"{url}/subjects/{topic}-value/versions").json() == [1]


def test_what_is_not_registered_has_no_problem(registry: Registry, topic: str) -> None:
    assert registry.problem(definition(RawItem), topic) is None


@pytest.mark.parametrize(
    ("value", "what"), [(b"\0\xff\0\0\1", "schema id 4278190081 is unknown to the registry"), (b"\xc3\x01", "not the Confluent wire format")]
)
def test_bytes_of_another_origin_are_the_records_fault(registry: Registry, value: bytes, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        Confluent(registry).decode(value, RawItem)


def test_another_address_of_the_same_server_is_told_apart_from_an_unknown_subject(url: str) -> None:
    registry = Registry(RegistrySettings(url=url.replace("ccompat/v7", "registry/v2")))
    with pytest.raises(RegistryFailure, match="is this the registry's Confluent interface"):
        registry.id_of(RawItem, "sample")
    registry.close()


def test_a_registry_that_is_down_at_start_is_unreachable() -> None:
    registry = Registry(RegistrySettings(url="http://127.0.0.1:1/apis/ccompat/v7"))
    with pytest.raises(RegistryUnreachable, match=r"http://127\.0\.0\.1:1/apis/ccompat/v7 does not answer: .*refused.*: start it, or correct its URL"):
        registry.id_of(RawItem, "sample")
    registry.close()


def test_what_is_known_goes_on_working_while_the_registry_is_down(kafka_installed: None, tmp_path: Path) -> None:
    with apicurio(tmp_path) as (url, process):
        registry = Registry(RegistrySettings(url=url))
        codec = Confluent(registry)
        written = codec.encode(ITEM, "sample")
        codec.decode(written, RawItem)
        process.kill()
        process.wait()
        assert codec.encode(ITEM, "sample") == written
        assert codec.decode(written, RawItem) == ITEM
        with pytest.raises(RegistryUnreachable):
            codec.encode(EVENT, "sample")
        with pytest.raises(RegistryUnreachable):
            codec.decode(b"\0\0\0\0\x63" + written[5:], RawItem)
        registry.close()


class Gate(BaseHTTPRequestHandler):
    """A registry behind a password (Apicurio itself would need an identity provider): says 401, or 200 with what the path calls for."""

    seen: list[str | None]

    def do_POST(self) -> None:
        given = self.headers["authorization"]
        self.seen.append(given)
        status, answer = (200, b'{"id": 7}') if given == "Basic " + base64.b64encode(b"reader:correct horse").decode() else (401, b"")
        status, answer = {"/down": (503, b"<p>maintenance</p>"), "/page": (200, b"<html>")}.get("/" + self.path.split("/")[1], (status, answer))
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Not to the terminal."""


@pytest.fixture
def gate() -> Iterator[tuple[str, list[str | None]]]:
    handler = type("Gate", (Gate,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.seen  # type: ignore[attr-defined] # set above
        server.shutdown()
        thread.join()


def test_the_password_goes_along_from_its_file_and_is_never_shown(gate: tuple[str, list[str | None]], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    url, seen = gate
    file = tmp_path / "password"
    file.write_text("correct horse\n", encoding="utf8")
    settings = RegistrySettings(url=url, username="reader", password_file=file)
    right, wrong = Registry(settings), Registry(RegistrySettings(url=url, username="reader", password="battery staple"))
    assert right.id_of(RawItem, "sample") == 7
    with pytest.raises(RegistryFailure, match=r"does not let us in \(POST /subjects/sample-value: HTTP 401\): check username, password and rights") as caught:
        wrong.id_of(RawItem, "sample")
    assert len(seen) == 2
    for shown in (caplog.text, repr(settings), repr(vars(wrong)), str(caught.value)):
        assert "horse" not in shown
        assert "battery" not in shown
    right.close()
    wrong.close()


@pytest.mark.parametrize(
    ("path", "error", "what"), [("/down", RegistryUnreachable, "out of order .*HTTP 503"), ("/page", RegistryFailure, "without JSON: is this the registry")]
)
def test_an_ill_registry_is_told_from_a_wrong_address(gate: tuple[str, list[str | None]], path: str, error: type[RegistryFailure], what: str) -> None:
    registry = Registry(RegistrySettings(url=gate[0] + path))
    with pytest.raises(error, match=what):
        registry.id_of(RawItem, "sample")
    registry.close()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"url": "http://reader:horse@127.0.0.1"}, "no user name and password"),
        ({"url": "http://127.0.0.1", "password": "horse"}, "a password needs username"),
        ({"url": "127.0.0.1"}, "url"),
    ],
)
def test_wrong_settings_are_refused_without_showing_secrets(given: dict[str, str], what: str) -> None:
    with pytest.raises(ValidationError, match=what) as caught:
        RegistrySettings.model_validate(given)
    assert "horse" not in str(caught.value)


def test_a_password_file_that_went_away_is_named(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("horse", encoding="utf8")
    settings = RegistrySettings(url="http://127.0.0.1:1", username="reader", password_file=file)
    file.unlink()
    with pytest.raises(UsageError, match=r"password: cannot be read: No such file or directory"):
        Registry(settings)
