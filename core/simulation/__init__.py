"""The one fill model and the one decision code of backtest, paper and live."""
