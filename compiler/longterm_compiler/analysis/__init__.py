"""What can be told of a function by reading it: scopes, names, resume points, live names."""
