"""One load-test run: what is asked for, the run itself, what it showed, and the report.

`settings` refuses bad input before anything is touched, `execution` runs, `summary` and `judgement` are pure, `report`
and `plots` make the page that people read.
"""
