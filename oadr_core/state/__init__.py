"""What must be remembered over a restart, as versioned blobs."""
