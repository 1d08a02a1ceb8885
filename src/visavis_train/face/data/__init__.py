"""Faces to learn from: photographs, rendered faces, warped faces, pictures without a face."""
