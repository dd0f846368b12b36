"""Data sets as they are published, brought into the folders that training reads."""
