"""Videos of conversations in, a corpus of two people's faces, emotions and sound out."""
