"""Devices, memory and resources of the machine."""
