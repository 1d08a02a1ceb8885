"""Building corpora of two people's faces, emotions and sound from videos of conversations."""
