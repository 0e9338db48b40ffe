"""What can be asked of runs, the same on the command line and on the dashboard."""
