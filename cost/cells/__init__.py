"""Area, delay and energy of a design in cells of a library."""
