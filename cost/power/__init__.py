"""From operands to energy: stimulus, toggles with and without delays, sampling."""
