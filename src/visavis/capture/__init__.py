"""Sources of frames: cameras, videos and images."""
