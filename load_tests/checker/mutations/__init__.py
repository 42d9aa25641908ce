"""Is the checker any good? Plants one bug per invariant in a real system and sees which invariant catches it.

`workflows` and `stage` are the system, `scene` records what is asked of it, `starts`, `messages`, `effects` and
`histories` hold the bugs, `bugs` lists them with what has to catch them, `score` plays them.
"""
