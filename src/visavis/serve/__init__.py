"""The server: it answers a browser's camera frames live with face, expression and avatar pose."""
