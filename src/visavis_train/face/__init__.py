"""The face network and the face detector: data, model, training, release."""
