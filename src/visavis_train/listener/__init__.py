"""The listener: conversations, model, training, release, report."""
