"""The expression networks: data, models, training, release."""
