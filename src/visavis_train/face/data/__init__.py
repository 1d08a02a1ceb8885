"""Training pictures of the face networks: photographs, rendered faces, warped faces, pictures without a face."""
