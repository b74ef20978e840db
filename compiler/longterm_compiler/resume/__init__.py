"""Resume bodies: what is left to do of a flow from one of its resume points."""
