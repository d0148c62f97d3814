"""What every block is made with: modules, pipeline registers, flags, and which designs can be built."""
