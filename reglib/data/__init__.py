"""What happens to a batch before a network sees it."""
