"""Properties are given the time they take: the first example of one may load a service model."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
