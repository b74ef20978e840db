"""From trees to code: code objects, a flow's version, names for the functions inside it."""
