"""Training pictures of the face networks: real, rendered and warped faces, pictures without a face."""
