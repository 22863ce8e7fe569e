"""garch: the returns that the next period may bring, by filtered historical simulation.

A GARCH(1,1) with a constant mean and normal shocks (quasi-maximum likelihood) is fitted to the returns; what it leaves,
each divided by the volatility of its own period, is scaled to the volatility forecast for the next one.
Source: Barone-Adesi, Giannopoulos and Vosper (1999), "VaR without correlations for portfolios of derivatives".
"""

import warnings

import numpy as np

from core.analytics.series import Floats

LEAST = 100  # periods below which three parameters of volatility say nothing
MOST = 10_000  # the last periods; an older past changes today's forecast little and the fit takes long


def simulated(returns: Floats) -> Floats | None:
    """(m,) equally likely returns of the next period; None where the model cannot be fitted.

    returns: (n,) without NaN; the last 10,000 are used. Deterministic. None below 100 periods, without variation, or
    when the optimiser does not converge.
    """
    recent = returns[-MOST:]
    if len(recent) < LEAST or not np.all(np.isfinite(recent)):
        return None
    scale = float(np.std(recent, ddof=1))
    if not scale > 1e-15 * max(1.0, float(np.max(np.abs(recent)))):
        return None
    from arch import arch_model

    model = arch_model(recent / scale, mean="Constant", vol="GARCH", p=1, q=1, dist="normal", rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is told by the answer
        try:
            fitted = model.fit(disp="off", show_warning=False)
            variance = float(fitted.forecast(horizon=1, reindex=False).variance.to_numpy()[-1, 0])
        except (ValueError, FloatingPointError, np.linalg.LinAlgError):
            return None
    shocks: Floats = np.asarray(fitted.std_resid, dtype=np.float64)
    if fitted.convergence_flag != 0 or not 0.0 < variance < np.inf or not np.all(np.isfinite(shocks)):
        return None
    result: Floats = scale * (float(fitted.params["mu"]) + np.sqrt(variance) * shocks)
    return result
