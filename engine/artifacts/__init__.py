"""The trained model as a folder, and its model card."""
