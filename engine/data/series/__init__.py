"""Time series: times, frequency, seasonality, windows."""
