"""Trained networks behind HTTP, and the page that shows how they read."""
