"""The page: template, style, script."""
