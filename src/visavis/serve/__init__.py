"""The server: it answers a browser's camera frames live with face, emotion and avatar pose."""
