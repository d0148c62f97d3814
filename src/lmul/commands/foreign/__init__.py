"""What `lmul sim` runs that is no design of this package: a multiplier of others, steps that GPUs gave."""
