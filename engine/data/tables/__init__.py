"""Tables: columns, features, schema."""
