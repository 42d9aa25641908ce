"""Receives signals and updates for as long as a run lasts, and returns what it has seen, in order."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import workflow


@dataclass(frozen=True)
class ConversationInput:
    """Input of `Conversation`."""

    sender: str
    """Who talks, for people who look at it."""


@dataclass(frozen=True)
class Message:
    """Input of the signal `tell` and the update `ask`."""

    token: str
    """Unique among this conversation's messages."""


@dataclass(frozen=True)
class Heard:
    """Answer of the update `ask`."""

    token: str
    position: int
    """How many messages had been seen then, this one counted."""


@dataclass(frozen=True)
class ConversationOutput:
    """Output of `Conversation`, in the form that the checker reads."""

    tokens: tuple[str, ...]
    """Of every message, in the order in which they were handled."""


@workflow.defn
class Conversation:
    """Keeps a list of what it is told.

    It never continues as a new run: the server recognises a repeated signal within one run only, and a message
    seen twice has to be the server's doing. One conversation so holds some 10,000 messages (four events each,
    of 51,200 that the server allows); a run has as many conversations as that takes.
    """

    def __init__(self) -> None:
        self._tokens: list[str] = []
        self._is_over = False

    @workflow.run
    async def run(self, conversation: ConversationInput) -> ConversationOutput:  # noqa: ARG002 - for people
        """Listen until it is over."""
        await workflow.wait_condition(lambda: self._is_over and workflow.all_handlers_finished())
        return ConversationOutput(tuple(self._tokens))

    @workflow.signal
    def tell(self, message: Message) -> None:
        """Take a message."""
        self._tokens.append(message.token)

    @workflow.update
    def ask(self, message: Message) -> Heard:
        """Take a message and say when."""
        self._tokens.append(message.token)
        return Heard(message.token, len(self._tokens))

    @workflow.signal
    def finish(self) -> None:
        """End once everything is handled."""
        self._is_over = True
