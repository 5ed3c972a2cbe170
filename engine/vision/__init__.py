"""What the tasks on images share: columns, augmentation, sources."""
