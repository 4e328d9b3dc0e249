"""The targets. Each module is one, and begins with its contract."""
