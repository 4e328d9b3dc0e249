"""Automatic behaviour, stacked on the cores: to register, poll, sample, report, deliver again, and ask for reports."""
