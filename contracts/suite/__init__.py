"""The laws as pytest modules: `pytest -p contracts.plugin --pyargs contracts.suite --inferneo-url URL`."""
