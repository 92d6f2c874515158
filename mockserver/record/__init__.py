"""What happened, and what a test may conclude from it: the journal, calls, verdicts, what was never used."""
