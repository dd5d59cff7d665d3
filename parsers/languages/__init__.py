"""A folder in here is a language, or a family of languages that share their rules."""
