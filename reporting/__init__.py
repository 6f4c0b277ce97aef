"""What happened tonight, and did it earn money."""
