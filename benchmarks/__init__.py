"""Every speed figure the README quotes, runnable: `make bench`."""
