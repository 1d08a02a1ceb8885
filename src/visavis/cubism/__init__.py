"""Live2D models of the user, drawn by live2d-py (extra ``live2d``), which contains Live2D's Cubism Core."""
