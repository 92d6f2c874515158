"""The subcommands of `inferneo-mock`, one per file."""
