"""Faults that take effect for certain and heal for certain. One per file; the names are in `catalogue`.

`fault` says what every fault is, `target` what it happens to. What is under way stands in a journal (`journal`),
from which `heal` undoes what a dead runner left; a process that outlives the runner (`guard`) does so by itself.
The lab's own faults heal themselves after a time besides, should the guard die too.

Nothing here imports the lab: faults of whole machines are its command line's, called as anybody would.
"""
