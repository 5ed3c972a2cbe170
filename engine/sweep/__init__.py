"""Many runs in search of better values: what is searched, who searches, and what was found."""
