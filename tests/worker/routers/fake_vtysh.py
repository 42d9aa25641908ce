"""A `vtysh` for tests of the agent without FRR: as much of it as the agent leans on. Real FRR: tests/live/test_frr.py.

Arguments: folder of its state, then those of vtysh. It refuses every line with `nonsense`, takes all others,
forgets a neighbour with its `remote-as` and shows lines in an order of its own, as FRR does. While there is a
file `slow`, it is at work.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

Tree = dict[str, "Tree"]


def tree(lines: list[str]) -> Tree:
    root: Tree = {}
    stack = [(-1, root)]
    for line in lines:
        indent = len(line) - len(line.lstrip())
        while stack[-1][0] >= indent:
            stack.pop()
        stack.append((indent, stack[-1][1].setdefault(line.strip(), {})))
    return root


def show(node: Tree, depth: int = 0) -> list[str]:
    lines: list[str] = []
    for text, inside in sorted(node.items()):
        lines += [" " * depth + text, *show(inside, depth + 1), *([" " * depth + "exit"] if inside else [])]
    return lines


def load(root: Tree, commands: list[str]) -> str:
    """Take the commands that are good; return what is said of the others."""
    said: list[str] = []
    stack = [(-1, root)]
    for number, line in enumerate(commands, start=1):
        indent, text = len(line) - len(line.lstrip()), line.strip()
        while stack[-1][0] >= indent:
            stack.pop()
        here = stack[-1][1]
        if "nonsense" in text or text.startswith("no description "):
            said.append(f"line {number}: % Unknown command[4]: {text}")
        elif text.startswith("no "):
            name = text.split()[2] if "remote-as" in text else None
            for gone in [key for key in here if key.startswith(text[3:]) or (name and f" {name} " in key)]:
                del here[gone]
        elif not text.startswith("exit"):
            if text.startswith("hostname "):
                for other in [key for key in here if key.startswith("hostname ")]:
                    del here[other]
            stack.append((indent, here.setdefault(text, {})))
    return "\n".join(said)


def main(folder: Path, option: str, argument: str) -> int:
    running = folder / "running"
    if not running.exists():
        print("failed to connect to any daemons.", file=sys.stderr)
        return 1
    if argument == "show running-config":
        head = "Building configuration...\n\nCurrent configuration:\n!\nfrr version 8.4.4\nfrr defaults traditional\n"
        print(f"{head}{running.read_text()}!\nend")
    elif argument == "write memory":
        (folder / "startup").write_text(running.read_text())
        print("[OK]")
    elif option == "-f":
        root = tree([line for line in running.read_text().splitlines() if line.strip() != "exit"])
        said = load(root, Path(argument).read_text().splitlines())
        while (folder / "slow").exists():
            (folder / "at-work").touch()
            time.sleep(0.02)
        running.write_text("\n".join(show(root)) + "\n")
        print(said, file=sys.stderr)
        return 2 if said else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
