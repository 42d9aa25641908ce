"""What one operation of a load test is: one scenario per file, behind `scenarios.scenario.Scenario`.

`scenarios.catalog` knows them all; `scenarios.session` is what a scenario asks through.
"""
