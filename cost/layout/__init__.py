"""Layout: mapped cells placed in rows, the wires between them, and figures with those wires."""
