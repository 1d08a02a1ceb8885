"""Pictures of what was measured: timelines, panels, codebooks, explanations."""
