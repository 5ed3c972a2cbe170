"""Parts of the data pipelines of forecasting."""
