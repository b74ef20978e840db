"""From bytes to an object graph, within a budget."""
