"""Many trainings of a few rows, of which scikit-learn's checks would be a large part."""

from collections.abc import Iterator
from contextlib import contextmanager

import sklearn

from fitness_assets.models.one_thread import one_thread


@contextmanager
def small_fits() -> Iterator[None]:
    """Train in one thread, without scikit-learn's checks of parameters and for infinite values.

    The rows have no infinite values (the ETL's range check), and imputation removes missing ones.
    """
    with (
        one_thread(),
        sklearn.config_context(assume_finite=True, skip_parameter_validation=True),
    ):
        yield
