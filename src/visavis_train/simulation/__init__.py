"""Real parts in, conversations that never took place out: speakers put together, listeners simulated."""
