"""TensorBoard, Weights & Biases and their like."""
