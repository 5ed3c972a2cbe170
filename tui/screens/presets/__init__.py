"""The list of presets, and the dialog that saves one."""
