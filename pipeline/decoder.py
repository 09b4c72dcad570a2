"""Values of our topics, in whichever wire format and of whichever version they are, to records."""

from __future__ import annotations

from schemas.avro import RecordT
from schemas.errors import SchemaError
from schemas.kafka.envelope import SingleObject
from schemas.kafka.registry import Confluent, Registry, RegistrySettings
from schemas.kafka.schema_topic import SchemaTopic
from schemas.kafka.settings import KafkaSettings


class Decoder:
    """Decodes single-object encoding, with the help of the schemas topic, and the Confluent wire format where there is a registry."""

    def __init__(self, kafka: KafkaSettings, schemas: str, registry: RegistrySettings | None = None) -> None:
        self._single_object = SingleObject(SchemaTopic(kafka, schemas).find)
        self._registry = Registry(registry) if registry else None

    def __call__(self, value: bytes | None, cls: type[RecordT]) -> RecordT:
        """The record of a value. Raises SchemaError where the value is at fault, KafkaFailure or RegistryFailure where its schema cannot be had now."""
        if value is None:
            raise SchemaError(f"no {cls.__name__}: the message has no value")
        if value[:1] != b"\0":
            return self._single_object.decode(value, cls)
        if self._registry is None:
            raise SchemaError(f"{cls.__name__}: the Confluent wire format needs the schema registry that its schema is in: say where it is")
        return Confluent(self._registry).decode(value, cls)

    def close(self) -> None:
        """Disconnect from the registry."""
        if self._registry:
            self._registry.close()
