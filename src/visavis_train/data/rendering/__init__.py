"""A 3D head with ARKit's shapes in; pictures of faces with true weights, landmarks, rotation and gaze out."""
