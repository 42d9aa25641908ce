"""Failover drills: a scenario, a fault and gates, written as data; run so that the verdict can be believed.

- `definitions/`: one file for each drill; `drill` says what it holds, `loading` reads and checks it, `catalogue` finds it.
- `places` turns what a file says of a zone ("zone of postgres-primary") into the zone of that name now.
- `engine` runs one drill, `site` is the cluster it happens on, `phases` its timeline, `following` and `live` show it.
- `measures` (what the operations show of the fault), `gates` (whether that is enough) and `prediction` are pure.
- `results` keeps, `report`, `junit`, `published` and `export` show; `series` repeats and resumes; `command` is for people.
"""
