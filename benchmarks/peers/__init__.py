"""The same work by other engines, each in an environment of its own, beside ours in interleaved rounds."""
