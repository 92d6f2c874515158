"""Servers and clients that are wrong on purpose, one defect each: the judge is judged on them.

`python -m tests.mutants` judges all of them and writes `docs/power.md`; `pytest tests/mutants/run_servers.py
tests/mutants/run_clients.py` only judges.
"""
