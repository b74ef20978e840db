"""What a worker runs turns with: threads, one event loop, and limits of time."""
