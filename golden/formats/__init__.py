"""Number formats, and numbers to their bit patterns and back."""
