"""The networks themselves, as torch modules; imported only by the process that trains."""
