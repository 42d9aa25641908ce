"""Sends what is due when it is due, from several processes, and says how well it did.

`assignment` is what each process is told, `process` one process, `dispatch` its loop; `crew` starts and follows all
of them; `self_check` judges whether the measurement itself was good, from `processor` among others.
"""
