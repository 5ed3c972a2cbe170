"""What a prediction rests on: places of an image, words of a text, columns of a row."""
