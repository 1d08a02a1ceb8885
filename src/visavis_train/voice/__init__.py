"""The network that reads expressions from a voice."""
