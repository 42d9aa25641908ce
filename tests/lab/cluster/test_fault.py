import pytest

from lab.cluster.fault import Fault, Kind, parse
from lab.cluster.layout import CONTROL, NODES
from lab.errors import LabError

A, _, C = NODES
FAULTS = [
    (Fault(Kind.POWER_OFF, C), "power-off zone-c", C),
    (Fault(Kind.SILENCE, C), "silence zone-c", C),
    (Fault(Kind.SILENCE, C, A), "silence zone-c toward zone-a", C),
    (Fault(Kind.SILENCE_POD, C, pod="10.244.3.5"), "silence-pod zone-c 10.244.3.5", C),
    (Fault(Kind.FREEZE, A), "freeze zone-a", A),
    (Fault(Kind.STOP_API), "stop-api", CONTROL),
]


@pytest.mark.parametrize(("fault", "text", "machine"), FAULTS)
def test_a_fault_is_what_its_words_say(fault, text, machine):
    assert str(fault) == text
    assert parse(text.split()) == fault
    assert fault.machine == machine
    assert "." not in fault.slug


@pytest.mark.parametrize(
    "text",
    ["", "silence", "silence-pod zone-a", "stop-api zone-a", "freeze zone-a toward zone-b", "melt zone-a"],
)
def test_other_words_are_none(text):
    with pytest.raises(LabError, match=f"fault: '{text}' is none"):
        parse(text.split())
