"""What the containers need beside the stages: secrets in files, and a start that refuses default ones."""
