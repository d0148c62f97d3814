"""What the page says: its answer, sections, tables and charts."""
