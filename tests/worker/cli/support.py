"""Runs commands: in this process, where it is cheap, or in one of their own."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from worker.cli import main


@dataclass(frozen=True)
class Answer:
    code: int
    output: str
    errors: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.output)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines()]


@dataclass(frozen=True)
class Cli:
    capsys: pytest.CaptureFixture[str]

    async def __call__(self, *arguments: str) -> Answer:
        self.capsys.readouterr()
        code = await asyncio.to_thread(main, arguments)
        captured = self.capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    async def process(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "worker.cli",
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
