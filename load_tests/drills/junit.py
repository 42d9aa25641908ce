"""Results of drills as JUnit XML, which every CI system reads. Pure.

FAIL is a failure, INVALID an error (the measurement, not the system), INCONCLUSIVE is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from worker.bench.support.verdict import Verdict

_ELEMENTS = {Verdict.FAIL: "failure", Verdict.INVALID: "error", Verdict.INCONCLUSIVE: "skipped"}
_COUNTS = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def to_junit(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the XML of results as `results.read` gives them."""
    suite = ET.Element("testsuite", name="drills", tests=str(len(found)))
    for key, count in _COUNTS.items():
        suite.set(count, str(sum(_ELEMENTS.get(Verdict(one["verdict"])) == key for one in found)))
    for one in found:
        suite.append(_case(one))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(one: Mapping[str, Any]) -> ET.Element:
    seconds = sum(value for key, value in one["phases"].items() if key.endswith("_seconds"))
    case = ET.Element(
        "testcase", classname=f"drills.{one['stack']}", name=one["drill"], time=f"{seconds:g}",
        timestamp=one["began"],
    )  # fmt: skip
    element = _ELEMENTS.get(Verdict(one["verdict"]))
    if element is not None:
        reasons = [str(reason) for reason in one["reasons"]]
        message = ET.SubElement(case, element, message=_allowed(reasons[0] if reasons else ""))
        message.text = _allowed("\n".join(reasons))
    properties = ET.SubElement(case, "properties")
    for mark in one["marks"]:
        ET.SubElement(properties, "property", name=mark["name"], value=str(mark["value"]))
    return case


def _allowed(text: str) -> str:
    """Leave out what XML 1.0 cannot hold."""
    return "".join(char for char in text if char in "\t\n" or ord(char) >= 0x20)
