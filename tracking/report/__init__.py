"""Reports of what tests came to: one value, `ReportData`, and a file for each format it takes.

Pure: nothing in here reads an experiment or writes a file. `tracking.details` gathers what lies in
the experiment.
"""
