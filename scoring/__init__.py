"""From features and a model to scores, segment matches, memberships and plays."""
