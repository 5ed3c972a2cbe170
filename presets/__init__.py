"""Ready experiments, one TOML file each; read by :mod:`engine.config.presets`."""
