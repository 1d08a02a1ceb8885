"""The face tokenizers: tracks, model, training, release."""
