"""Payloads to ciphertext and back: AES-256-GCM under the key of the tenant whose workflow it is.

The tenant comes from the workflow id, which the SDK hands to a codec for every payload of a workflow and its
steps. A payload without one (a schedule's own memo, a Nexus call) is refused rather than sent in plain text.
An encrypted payload says in its metadata whose key it needs, so that reading takes no context.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Self

from cryptography.exceptions import InvalidTag
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError

from worker.encryption.keyring import KeyringFile, KeyUnknownError
from worker.errors import FailureType
from worker.tenancy import tenant_of_workflow_id

ENCODING = "binary/encrypted"
"""What Temporal's own encryption samples and its UI call it."""
KEY_ID = "encryption-key-id"
"""Metadata: `<tenant>/<id of the key>`."""
PROBLEM = "encryption-problem"
"""Metadata of a payload that `decode` could not read: why. Never sent."""
_NONCE_BYTES = 12
"""Random, as NIST SP 800-38D allows for 2**32 payloads under one key: rotate a tenant's key before that."""


class UnreadableError(Exception):
    """A payload cannot be decrypted here; the message says why, without its contents."""


class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """Encrypts what leaves the process and decrypts what comes in.

    What cannot be decrypted is passed on as it is, marked with the reason: whether that fails a deployment, an
    update or a step is for whoever needs the value (`worker.encryption.converter`). Plain payloads pass
    unchanged, so that encryption can be turned on under running deployments.
    """

    def __init__(self, keys: KeyringFile, context: SerializationContext | None = None) -> None:
        self._keys = keys
        self._context = context

    def with_context(self, context: SerializationContext) -> Self:
        """Return a codec for one workflow's payloads."""
        return type(self)(self._keys, context)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt.

        Raises:
            ApplicationError: When it is not known whose payloads these are.
        """
        return [self._encode(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what is encrypted and can be read; mark what cannot."""
        return [self._decode(payload) for payload in payloads]

    def _encode(self, payload: Payload) -> Payload:
        if is_encrypted(payload):
            # Passed through unread, for example the arguments of a schedule that is being changed.
            encrypted = Payload()
            encrypted.CopyFrom(payload)
            encrypted.metadata.pop(PROBLEM, None)
            return encrypted
        tenant = tenant_of(self._context)
        if tenant is None:
            raise ApplicationError(
                f"{describe(self._context)}: a payload without a tenant is not sent, because no key would encrypt it;"
                " workflow ids come from worker.tenancy",
                type=FailureType.TENANT_UNKNOWN.value,
                non_retryable=True,
            )
        return encrypt(self._keys, tenant, payload)

    def _decode(self, payload: Payload) -> Payload:
        if not is_encrypted(payload):
            return payload
        # A payload copied from another tenant's workflow must not be decrypted on behalf of this one.
        if self._context is not None and tenant_in(payload) != tenant_of(self._context):
            return _marked(payload, f"it is another tenant's, {tenant_in(payload)!r:.60}")
        try:
            return decrypt(self._keys, payload)
        except UnreadableError as error:
            return _marked(payload, str(error))


def encrypt(keys: KeyringFile, tenant: str, payload: Payload) -> Payload:
    """Return the payload, metadata and all, under the tenant's current key."""
    keyring = keys.keyring()
    key_id = f"{tenant}/{keyring.current(tenant)}".encode()
    nonce = os.urandom(_NONCE_BYTES)
    cipher = keyring.cipher(tenant, keyring.current(tenant))
    data = nonce + cipher.encrypt(nonce, payload.SerializeToString(), _associated(key_id))
    return Payload(metadata={"encoding": ENCODING.encode(), KEY_ID: key_id}, data=data)


def decrypt(keys: KeyringFile, payload: Payload) -> Payload:
    """Return what was encrypted.

    Raises:
        UnreadableError: When the key is missing or another one, or the payload is not what was encrypted.
    """
    key_id = payload.metadata.get(KEY_ID, b"")
    tenant, _, name = key_id.decode(errors="replace").partition("/")
    try:
        cipher = keys.keyring().cipher(tenant, name)
    except KeyUnknownError:
        try:
            cipher = keys.keyring(is_stale=True).cipher(tenant, name)
        except KeyUnknownError as error:
            raise UnreadableError(f"{error!s:.120}") from None
    nonce, data = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
    try:
        return Payload.FromString(cipher.decrypt(nonce, data, _associated(key_id)))
    except (InvalidTag, ValueError, DecodeError):
        raise UnreadableError(
            f"key {tenant}/{name} does not open it: another key, or not what was sent"
        ) from None


def is_encrypted(payload: Payload) -> bool:
    """Return whether the payload is one of ours."""
    return payload.metadata.get("encoding") == ENCODING.encode()


def tenant_in(payload: Payload) -> str:
    """Return whose key an encrypted payload needs."""
    return payload.metadata.get(KEY_ID, b"").decode(errors="replace").partition("/")[0]


def workflow_id_of(context: SerializationContext | None) -> str | None:
    """Return the workflow that a payload belongs to, if it belongs to one."""
    if isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
        return context.workflow_id
    return None


def tenant_of(context: SerializationContext | None) -> str | None:
    """Return whose payload it is, or None when its workflow id does not say."""
    workflow_id = workflow_id_of(context)
    return tenant_of_workflow_id(workflow_id) if workflow_id else None


def describe(context: SerializationContext | None) -> str:
    """Return what the payload belongs to, for messages: tenant and router where there are any."""
    workflow_id = workflow_id_of(context)
    if not workflow_id:
        return type(context).__name__ if context else "no workflow"
    tenant = tenant_of_workflow_id(workflow_id)
    if tenant is None:
        return f"workflow {workflow_id}"
    kind, rest = workflow_id.split(f"-{tenant}-", 1)
    return f"tenant {tenant}, {'router' if kind == 'deploy' else kind} {rest}"


def _marked(payload: Payload, problem: str) -> Payload:
    marked = Payload()
    marked.CopyFrom(payload)
    marked.metadata[PROBLEM] = problem.encode()
    return marked


def _associated(key_id: bytes) -> bytes:
    """Return what is authenticated besides: a payload cannot be passed off as another tenant's or key's."""
    return b"routerfleet/payload/1/" + key_id
