"""Files of rows, CSV and Parquet, into canonical tables: reading, typing, keys, and what to do with bad rows."""
