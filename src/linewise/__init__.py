"""Linewise reads images the way you read a page."""
