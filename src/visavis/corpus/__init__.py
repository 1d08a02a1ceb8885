"""Building corpora of two people's faces, expressions and sound from videos of conversations."""
