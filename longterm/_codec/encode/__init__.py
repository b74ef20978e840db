"""From an object graph to bytes: scan it, find what is shared and what is cyclic, write items."""
