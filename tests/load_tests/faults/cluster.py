"""A stand-in for kubectl and the lab's command line: answers from a JSON file and changes it as they would.

`python cluster.py STATE kubectl ...` or `python cluster.py STATE lab ...`. Only what the faults' own decisions need;
what the real ones do is tested on the real lab (tests/live/lab/test_faults.py, tests/live/test_faults.py).
"""

import json
import sys
from pathlib import Path


def names_in(words: list[str]) -> list[str]:
    names, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word == "-n":
            skip = True
        elif not word.startswith("-"):
            names.append(word)
    return names


def option(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1] if flag in words else ""


def matching(items: list[dict], selector: str) -> list[dict]:
    wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
    return [item for item in items if wanted.items() <= item["metadata"].get("labels", {}).items()]


def kubectl(state: dict, words: list[str]) -> str:
    verb, *rest = words
    if verb == "get":
        what = rest[0]
        if what == "namespace":
            return json.dumps({"metadata": {"name": rest[1], "labels": state["namespace_labels"]}})
        if what.startswith("clusters."):
            return json.dumps(state["cluster"])
        return json.dumps({"items": matching(state[what], option(rest, "-l"))})
    if verb in ("cordon", "uncordon"):
        for node in state["nodes"]:
            if node["metadata"]["name"] in rest:
                node["spec"]["unschedulable"] = verb == "cordon"
    elif verb == "delete":
        doomed = names_in(rest)[1:]
        state["pods"] = [pod for pod in state["pods"] if pod["metadata"]["name"] not in doomed]
    elif verb == "patch":
        patch = next(word for word in rest if word.startswith("--patch=")).removeprefix("--patch=")
        state["cluster"]["status"] |= json.loads(patch)["status"]
        if state["operator_acts"]:
            state["cluster"]["status"]["currentPrimary"] = state["cluster"]["status"]["targetPrimary"]
    else:
        sys.exit(f"error: unknown command {verb!r}")
    return ""


def lab(state: dict, words: list[str]) -> str:
    if state.get("lab_refuses") and words[0] != "heal":
        sys.exit(f"lab: {state['lab_refuses']}")
    return json.dumps({"since": 12.5, "proof": "silence for node-a", "healed": []})


def main() -> None:
    file, program, *words = sys.argv[1:]
    path = Path(file)
    state = json.loads(path.read_text())
    if words[:1] != ["get"]:
        state["calls"].append([program, *words])
    try:
        print((kubectl if program == "kubectl" else lab)(state, words))
    finally:
        path.write_text(json.dumps(state))


if __name__ == "__main__":
    main()
