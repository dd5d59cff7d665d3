"""What happens when, how often, how long, and what if it dies."""
