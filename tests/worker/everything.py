"""Workflows that take a secret along every path that the SDK has. Run them unsandboxed: they import pytest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, FailureError

SECRET = "s3cret-community-string"


@dataclass(frozen=True)
class Letter:
    """What every path carries."""

    text: str
    round: int = 1
    extra: list[str] = field(default_factory=list)


@activity.defn
async def fail_once(letter: Letter) -> Letter:
    """Fails with the secret, and finds the secret that it had left in its heartbeat."""
    if activity.info().attempt == 1:
        activity.heartbeat(letter)
        raise ApplicationError(letter.text, letter, type="Once")
    assert activity.info().heartbeat_details[0]["text"] == letter.text
    return letter


@activity.defn
async def fail(letter: Letter) -> None:
    """Fails for good, with the secret in message, details and cause."""
    raise ApplicationError(letter.text, letter, type="Always", non_retryable=True) from ValueError(
        letter.text
    )


def root_message(error: BaseException) -> str:
    """Return what the first of the causes said."""
    while error.__cause__ is not None:
        error = error.__cause__
    assert isinstance(error, FailureError)
    return error.message


@workflow.defn
class Child:
    """Says what it was told and signalled, or fails with it."""

    def __init__(self) -> None:
        self._signalled: Letter | None = None

    @workflow.signal
    def signalled(self, letter: Letter) -> None:
        self._signalled = letter

    @workflow.run
    async def run(self, letter: Letter) -> Letter:
        await workflow.wait_condition(lambda: self._signalled is not None)
        if letter.round == 2:
            raise ApplicationError(letter.text, letter, type="Child")
        return letter


@workflow.defn
class Everything:
    """Takes the secret along every path that the SDK has."""

    def __init__(self) -> None:
        self._told: list[str] = []

    @workflow.signal
    def tell(self, letter: Letter) -> None:
        self._told.append(letter.text)

    @workflow.query
    def ask(self, letter: Letter) -> Letter:
        if letter.round == 0:
            raise ApplicationError(letter.text, letter)
        return letter

    @workflow.update
    def change(self, letter: Letter) -> Letter:
        self._told.append(letter.text)
        return letter

    @change.validator
    def _may_change(self, letter: Letter) -> None:
        if letter.round == 0:
            raise ApplicationError(letter.text, letter)

    @workflow.run
    async def run(self, letter: Letter) -> Letter:
        await workflow.wait_condition(lambda: letter.round == 2 or len(self._told) == 2)
        workflow.upsert_memo({"upserted": letter.text})
        workflow.set_current_details(letter.text)
        await self._steps(letter)
        await self._child(letter)
        if letter.round == 1:
            workflow.continue_as_new(Letter(letter.text, 2), memo={"continued": letter.text})
        try:
            await workflow.execute_activity(fail, letter, start_to_close_timeout=timedelta(seconds=5))
        except ActivityError as error:
            raise ApplicationError(letter.text, letter, type="Ended") from error
        return letter

    async def _steps(self, letter: Letter) -> None:
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=2)
        timeout = timedelta(seconds=5)
        done = await workflow.execute_activity(
            fail_once, letter, start_to_close_timeout=timeout, retry_policy=retry, summary=letter.text
        )
        assert done == letter
        with pytest.raises(FailureError) as caught:
            await workflow.execute_local_activity(fail, letter, start_to_close_timeout=timeout)
        assert root_message(caught.value) == letter.text
        await workflow.sleep(0.001, summary=letter.text)

    async def _child(self, letter: Letter) -> None:
        child = await workflow.start_child_workflow(
            Child.run,
            letter,
            id=workflow.info().workflow_id.replace("rollout-", "deploy-"),
            memo={"child": letter.text},
            static_summary=letter.text,
            static_details=letter.text,
        )
        await child.signal(Child.signalled, letter)
        if letter.round == 1:
            assert await child == letter
            return
        with pytest.raises(ChildWorkflowError) as caught:
            await child
        assert root_message(caught.value) == letter.text


@workflow.defn
class Hesitant:
    """Tries a step that fails again much later."""

    @workflow.run
    async def run(self, letter: Letter) -> None:
        retry = RetryPolicy(initial_interval=timedelta(hours=1))
        timeout = timedelta(seconds=5)
        await workflow.execute_activity(fail_once, letter, start_to_close_timeout=timeout, retry_policy=retry)


@workflow.defn
class Echo:
    """Says what it was told."""

    @workflow.run
    async def run(self, letter: Letter) -> Letter:
        return letter
