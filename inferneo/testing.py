"""Help for the tests of programs that use the client."""

from inferneo._retry import instant_retries

__all__ = ["instant_retries"]
