"""The avatar: its poses, its drawing and its motion files."""
