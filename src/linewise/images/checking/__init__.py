"""What is noticed about data: warnings, duplicates, the check as a record."""
