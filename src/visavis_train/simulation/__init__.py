"""Simulated conversations: speakers put together from real parts, and simulated listeners."""
