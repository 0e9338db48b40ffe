"""Other tools: one small module each, run by the interpreter of an environment of their own."""
