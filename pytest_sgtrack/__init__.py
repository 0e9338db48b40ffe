"""pytest plugin: record the metrics of training tests and fail those that got worse."""
