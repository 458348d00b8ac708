"""Sentences: one flow a file, in the user's words."""
