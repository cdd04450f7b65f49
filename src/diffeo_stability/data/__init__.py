"""Images: where they come from, their splits, and files that are written whole or not at all."""
