"""A renderer of a 3D head with ARKit's blendshapes, for faces whose true weights are known."""
