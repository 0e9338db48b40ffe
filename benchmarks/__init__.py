"""What recording costs, against the bare pieces it is made of and against other tools.

`python -m benchmarks` measures and prints a table; docs/performance.md holds one. Every line is a
ratio of two things measured in turns in the same run, so that it holds on other machines too.
"""
