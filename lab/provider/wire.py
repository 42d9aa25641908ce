"""Protocol messages to plain JSON values and back."""

from __future__ import annotations

from google.protobuf import struct_pb2

from lab.provider.values import Json, Object

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Key that marks a special value in Pulumi's messages. Source: pulumi.runtime.rpc._special_sig_key, 3.272.0."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 -- Pulumi's mark for a secret, itself none
SPECIAL_NAMES = {
    "c44067f5952c0a294b673a41bacd8c17": "an asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "an archive",
    "5cf8f73096256a8f31e491e813e4eb8e": "a resource reference",
    "d0e6a833031e9bbcd3f4e8bde6ca49a4": "an output value",
}


class SpecialValueError(ValueError):
    """A value that no Kubernetes object can hold, such as an asset."""


def plain_struct(message: struct_pb2.Struct) -> Object:
    """Return the JSON object of a message.

    Raises:
        SpecialValueError: the message holds an asset, archive, or another value without a JSON form.
    """
    fields = {key: plain_value(value) for key, value in message.fields.items()}
    mark = fields.get(SIGNATURE)
    if mark is None:
        return fields
    if mark == SECRET:
        inner = fields.get("value")
        return inner if isinstance(inner, dict) else fields
    raise SpecialValueError(
        f"{SPECIAL_NAMES.get(str(mark), 'a special value')} cannot be part of a Kubernetes object"
    )


def plain_value(value: struct_pb2.Value) -> Json:
    """Return the JSON value of a message. Whole floats become integers: the API server refuses `replicas: 3.0`."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET:
            return plain_value(fields["value"])
        return plain_struct(value.struct_value)
    if kind == "list_value":
        return [plain_value(item) for item in value.list_value.values]
    if kind == "number_value":
        amount = value.number_value
        return int(amount) if amount.is_integer() else amount
    if kind == "string_value":
        return value.string_value
    return value.bool_value if kind == "bool_value" else None


def struct(value: Object) -> struct_pb2.Struct:
    """Return the message of a JSON object."""
    message = struct_pb2.Struct()
    for key, item in value.items():
        message.fields[key].CopyFrom(struct_value(item))
    return message


def struct_value(value: Json) -> struct_pb2.Value:
    """Return the message of a JSON value."""
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, list):
        return struct_pb2.Value(
            list_value=struct_pb2.ListValue(values=[struct_value(item) for item in value])
        )
    return struct_pb2.Value(struct_value=struct(value))


def secret(value: Json) -> Json:
    """Mark a value as secret, so that the engine encrypts it in its state."""
    return {SIGNATURE: SECRET, "value": value}
