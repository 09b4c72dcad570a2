"""The contract in use: records to bytes and back.

Plain Avro, single-object encoding, the Confluent wire format, container files, JSON; the schemas and their fingerprints.
Bytes or a record that do not fit raise SchemaError with the record, the field and what is wrong with it.
"""

from schemas.container import ContainerWriter, read_container, write_container
from schemas.definitions import RECORDS, Record, RecordT, Schema, definition, fingerprint, parse, released, schema
from schemas.wire import decode, decode_confluent, decode_single_object, encode, encode_confluent, encode_single_object, from_json, to_json

__all__ = [
    "RECORDS", "ContainerWriter", "Record", "RecordT", "Schema",
    "decode", "decode_confluent", "decode_single_object", "definition", "encode", "encode_confluent", "encode_single_object",
    "fingerprint", "from_json", "parse", "read_container", "released", "schema", "to_json", "write_container",
]  # fmt: skip
