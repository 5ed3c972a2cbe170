"""Labels of texts: their spellings, numbers and names."""
