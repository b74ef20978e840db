"""What can be stored, one subject a file; `families` is the table of all of them."""
