"""Roll-back of a diverged training to its newest checkpoint, with a lower learning rate."""

from __future__ import annotations

from engine.training.optimization.non_finite import not_finite
from engine.training.trainer_setup import Setup


def roll_back(setup: Setup) -> None:
    """Load the newest checkpoint's state, if ``train.max_rollbacks`` allows one more time.

    Raises :class:`~engine.errors.TrainingError`.
    """
    config, position = setup.config, setup.state.position
    step, rollbacks = position.step, position.rollbacks + 1
    saved = setup.outlets.go_back() if rollbacks <= config.max_rollbacks else {}
    if not saved:
        raise not_finite(step)
    setup.state.load_state_dict(saved)
    position.lr_scale *= config.rollback_lr_factor ** (rollbacks - position.rollbacks)
    position.rollbacks, position.bad_updates = rollbacks, 0
    setup.outlets.warn(
        f"The numbers of update {step:,} are not finite; resuming from update "
        f"{position.step:,} with {position.lr_scale:.3g} of the learning rate "
        f"({rollbacks} of {config.max_rollbacks} times)."
    )
