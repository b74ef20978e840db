"""The methods of `longterm.engine.Engine`, by what they are for."""
