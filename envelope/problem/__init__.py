"""The question: feeder, forecast, capacity, limits and policies of one horizon. Data only, no power flow."""
