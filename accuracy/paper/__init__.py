"""What the paper says of errors, computed anew."""
