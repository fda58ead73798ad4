"""Let pytest run scenarios: `pytest scenarios -n auto`."""

pytest_plugins = ["harness.pytest_plugin"]
