"""Arithmetic for audits: arrays or counts in, typed records out; no ledger, no clock, no unseeded draw.

shares and quantiles   proportions, quantiles, clusters (values that are not independent), nonresponse, few_labels,
                       discrimination
two versions, regions  paired, two_sample, trend (within groups), change_point, feature_prices (what a score pays for)
halves                 a sample against itself: the placebo of a test
many tests or looks    many_tests (Holm, BH), error_spending (planned looks), betting and sequential (watched for ever:
                       bounded differences of either sign, and symmetric ones that may drift up)
resampling             the bootstrap, its SEED and DRAWS

The forecast of tokens a day goes through most of the others, in this order: daily_series (days on a grid)
→ calendar_terms (what a day is) → calendar_fit (least squares) → forecast (level × calendar) and calendar_effects;
challengers (what it must beat) → backtest → forecastable (may it be shown) → conformal (intervals)
→ region_forecast (all of this for one region: start reading there) → forecast_totals (days and regions together, money),
headroom (rate limits). demand_breaks, with quiet_histories, proposes days that were not normal.
"""
