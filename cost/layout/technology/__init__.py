"""What LEF files say of a technology, and what is published of its wires."""
