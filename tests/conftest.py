"""How the property tests run: the same examples every time, or many more in the long runs."""

from hypothesis import HealthCheck, settings

# Timing decides no test: neither a deadline nor a slow generator fails one.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=50,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long",
    deadline=None,
    max_examples=2_000,
    print_blob=True,
    stateful_step_count=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")
