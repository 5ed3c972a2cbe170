"""The networks as torch modules, and how pre-trained ones are loaded."""
