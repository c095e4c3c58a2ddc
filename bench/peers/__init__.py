"""What ours is measured against, each as short as its own documentation shows it."""
