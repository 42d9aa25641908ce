"""Values to payloads and back, so that what cannot be read fails the deployment and not its workflow tasks.

An exception while a workflow's input is converted fails the workflow task, which Temporal repeats for ever,
unless it is an `ApplicationError`, which fails the workflow. So an input that can never be read ends the
deployment at once, typed, before anything was applied. When only this worker cannot read it and the deployment
has already begun, replay notices that history says otherwise, and the task waits for a worker with the key.
Everything else that cannot be read (the outcome of a step or of a child) fails the task or the step, to be
tried again: ending there would leave a router half done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    BinaryNullPayloadConverter,
    BinaryPlainPayloadConverter,
    BinaryProtoPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    JSONProtoPayloadConverter,
    PayloadConverter,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError

from worker.encryption.codec import ENCODING, PROBLEM, EncryptionCodec, describe, tenant_of
from worker.encryption.keyring import KeyringFile
from worker.errors import FailureType, PayloadUnreadableError, RouterError, to_application_error
from worker.models.deployment import REQUEST_VERSION, DeploymentRequest
from worker.models.rollout import ROLLOUT_REQUEST_VERSION, RolloutRequest

NEWEST_VERSIONS: Mapping[str, int] = {
    DeploymentRequest.__name__: REQUEST_VERSION,
    RolloutRequest.__name__: ROLLOUT_REQUEST_VERSION,
}
"""What workflows are started with, by name because a workflow's sandbox may have a class of its own, and the
newest version of each that this release understands."""
_FIELD = re.compile(r"Failed converting field (\w+) on dataclass")
"""How the SDK's `value_to_type` says where it was."""
_READABLE_TYPES = frozenset({FailureType.PAYLOAD_UNREADABLE.value, FailureType.TENANT_UNKNOWN.value})
"""Failures whose message stays readable: they are about keys, so whoever has to act may have none."""
_SDK_WRAPPING = "Failed decoding arguments"


def data_converter(keyring: Path | None) -> DataConverter:
    """Return the converter of every client and worker.

    Args:
        keyring: `ROUTERFLEET_KEYRING_FILE`. None: payloads are plain, and encrypted ones are refused, typed.

    Raises:
        UsageError: When the keyring cannot be used.
    """
    if keyring is None:
        return DataConverter(
            payload_converter_class=FleetPayloadConverter, failure_converter_class=FleetFailureConverter
        )
    return DataConverter(
        payload_converter_class=TenantPayloadConverter,
        payload_codec=EncryptionCodec(KeyringFile(keyring)),
        failure_converter_class=HiddenFailureConverter,
    )


class _InContext(EncodingPayloadConverter, WithSerializationContext):
    """Knows which workflow the payload belongs to."""

    context: SerializationContext | None = None

    def with_context(self, context: SerializationContext) -> Self:
        copy = type(self)()
        copy.context = context
        return copy

    def is_request(self, type_hint: type | None) -> bool:
        """Return whether this is what a workflow is started with."""
        is_workflow = isinstance(self.context, WorkflowSerializationContext)
        return is_workflow and getattr(type_hint, "__name__", "") in NEWEST_VERSIONS


class _UnreadablePayloadConverter(_InContext):
    """Refuses what the codec could not decrypt."""

    @property
    def encoding(self) -> str:
        return ENCODING

    def to_payload(self, value: object) -> None:
        """Encrypting is the codec's."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> object:
        problem = payload.metadata.get(PROBLEM, b"").decode(errors="replace")
        reason = (
            f"payload is encrypted: {problem or 'this process has no keyring (ROUTERFLEET_KEYRING_FILE)'}"
        )
        error = PayloadUnreadableError(describe(self.context), reason)
        if not self.is_request(type_hint):
            raise error
        raise _final(FailureType.PAYLOAD_UNREADABLE, str(error))


class _JsonPayloadConverter(JSONPlainPayloadConverter, _InContext):
    """Refuses an input of a newer release, or one that is not what the workflow takes."""

    needs_tenant = False

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> object:
        if self.needs_tenant and self.is_request(type_hint) and tenant_of(self.context) is None:
            reason = "the workflow id names no tenant, so no key would encrypt what it says (worker.tenancy)"
            raise _final(FailureType.TENANT_UNKNOWN, f"{describe(self.context)}: {reason}")
        try:
            return super().from_payload(payload, type_hint)
        except Exception as error:
            if type_hint is None or not self.is_request(type_hint):
                raise
            failure_type, reason = _complaint(payload, type_hint.__name__, error)
            raise _final(failure_type, f"{describe(self.context)}: {reason}") from error


class _TenantJsonPayloadConverter(_JsonPayloadConverter):
    needs_tenant = True


class FleetPayloadConverter(CompositePayloadConverter):
    """The SDK's default, which names what it cannot read."""

    def __init__(self) -> None:
        super().__init__(*self._converters(_JsonPayloadConverter()))

    @staticmethod
    def _converters(last: EncodingPayloadConverter) -> tuple[EncodingPayloadConverter, ...]:
        return (
            _UnreadablePayloadConverter(),
            BinaryNullPayloadConverter(),
            BinaryPlainPayloadConverter(),
            JSONProtoPayloadConverter(),
            BinaryProtoPayloadConverter(),
            last,
        )


class TenantPayloadConverter(FleetPayloadConverter):
    """The same where payloads are encrypted: a workflow that is no tenant's is refused at its start."""

    def __init__(self) -> None:
        CompositePayloadConverter.__init__(self, *self._converters(_TenantJsonPayloadConverter()))


class FleetFailureConverter(DefaultFailureConverter):
    """Gives our errors their type also where the SDK meets them before our code does."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """See base class."""
        cause = exception.__cause__
        if isinstance(cause, PayloadUnreadableError) and _SDK_WRAPPING in str(exception):
            exception = cause
        if isinstance(exception, RouterError):
            exception = to_application_error(exception)
        super().to_failure(exception, payload_converter, failure)


class HiddenFailureConverter(FleetFailureConverter):
    """The same where payloads are encrypted: message and stack trace are encrypted as well."""

    def __init__(self) -> None:
        DefaultFailureConverter.__init__(self, encode_common_attributes=True)

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """See base class."""
        super().to_failure(exception, payload_converter, failure)
        info = failure.application_failure_info
        if info.type not in _READABLE_TYPES or info.details.payloads:
            return
        readable = payload_converter.from_payload(
            failure.encoded_attributes, cast("type[dict[str, str]]", dict)
        )
        failure.message = readable["message"]
        failure.ClearField("encoded_attributes")
        # The cause may quote what could be read.
        failure.ClearField("cause")


def _final(failure_type: FailureType, message: str) -> ApplicationError:
    return ApplicationError(message, type=failure_type.value, non_retryable=True)


def _complaint(payload: Payload, type_name: str, error: BaseException) -> tuple[FailureType, str]:
    """Return why a request cannot be used: it is of a newer release, or says something that cannot be."""
    try:
        values: object = json.loads(payload.data)
    except ValueError:
        values = None
    version = cast("dict[str, Any]", values).get("version") if isinstance(values, dict) else None
    known = NEWEST_VERSIONS[type_name]
    if isinstance(version, int) and version > known:
        return (
            FailureType.REQUEST_TOO_NEW,
            f"request is of version {version}, this worker knows up to {known}",
        )
    path = _FIELD.findall(str(error))
    while error.__cause__ is not None:
        error = error.__cause__
        path += _FIELD.findall(str(error))
    return FailureType.REQUEST_INVALID, f"{'.'.join(path) or 'request'}: {error!s:.200}"
