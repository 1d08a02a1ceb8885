"""Pictures of what was measured: panels, codebooks, explanations."""
