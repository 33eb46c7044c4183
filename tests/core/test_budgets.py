from hypothesis import given
from hypothesis import strategies as st

from moorage.core.budgets import fitting

sizes = st.lists(st.integers(0, 100), max_size=20)


@given(st.integers(0, 300), sizes)
def test_what_fits_is_within_the_budget_and_one_more_would_not_be(budget: int, given_sizes: list[int]) -> None:
    fits = fitting(budget, given_sizes)

    assert sum(given_sizes[:fits]) <= budget or fits == 1
    assert fits == len(given_sizes) or sum(given_sizes[: fits + 1]) > budget


@given(st.integers(0, 300), sizes.filter(bool))
def test_a_page_is_never_empty_or_nobody_would_come_to_its_end(budget: int, given_sizes: list[int]) -> None:
    assert fitting(budget, given_sizes) >= 1


def test_of_nothing_nothing_fits() -> None:
    assert fitting(10, []) == 0
