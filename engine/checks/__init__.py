"""The checks of a data set before a training, one file for each kind of doubt."""
