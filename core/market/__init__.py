"""What is traded and what it cost: instruments, bars, sources, history, the sandbox market."""
