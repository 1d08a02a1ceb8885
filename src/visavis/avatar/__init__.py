"""Face states in, avatar poses, pictures and motion files out."""
