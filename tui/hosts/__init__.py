"""Runs on other machines: followed over SSH, mirrored here, and controlled from here."""
