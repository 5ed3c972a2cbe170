"""Workbooks of Excel (``.xlsx``): cells, their formats, and the table among them."""
