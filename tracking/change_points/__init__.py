"""When the values of a metric moved, from run to run. Pure; nothing of it decides a verdict."""
