"""What people read and type on a terminal."""
