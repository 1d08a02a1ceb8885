"""A browser's camera frames in, face, emotion and avatar pose out, live."""
