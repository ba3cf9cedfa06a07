"""Each row of docs/failures.md is held by a test: what the row promises is taken out of src, and the test fails."""
