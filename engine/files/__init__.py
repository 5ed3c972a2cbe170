"""Read and write files safely: paths, names, disk space."""
