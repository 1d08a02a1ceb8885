"""Face crops and face states in, emotions out."""
