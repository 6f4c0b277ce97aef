"""Features → trained churn and lifetime-value models: training, evaluation, promotion, and the artefacts that score."""

import os

# Read once, when XGBoost's threads start: on cores that are shared, threads that wait must not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
