"""From a scheduler of diffusers to the noise process that its network was trained on.

How a scheduler steps does not matter here; what its configuration says of the training does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from fiber_audit import UsageError
from fiber_audit.sampling import VPSchedule

from .process import Diffusion, Flow, Preconditioned, Process, Score
from .schedules import ExplodingVE, TrailingVP

Kind = Literal["auto", "epsilon", "sample", "v_prediction", "flow_prediction"]
Shift = float | Literal["auto"]
DISTILLED = ("LCM", "TCD")
"""In the names of schedulers whose networks jump to data, and estimate no E[x_0 | x_t]."""


def process_of(
    scheduler: Any, prediction: Kind = "auto", shift: Shift = "auto", tokens: int | None = None
) -> Process:
    """The process of a scheduler, whose configuration says what `auto` means.

    prediction: what the network predicts. shift: that of a flow's grid. tokens: how many a
    transformer makes of a state, which a shift may depend on.

    Raises:
        UsageError: the scheduler is of no known kind, is that of a network distilled for
            consistency, or is asked for what it does not have.
    """
    name, config = type(scheduler).__name__, scheduler.config
    if any(word in name for word in DISTILLED):
        raise UsageError(
            f"{name}: a network of this scheduler was distilled to jump to data and estimates no "
            f"mean of it; name the pipeline that it was distilled from."
        )
    if name.startswith("FlowMatch") or config.get("use_flow_sigmas"):
        _known(name, prediction, "flow_prediction", ["flow_prediction"])
        factor = _shift_of(config, tokens) if shift == "auto" else shift
        return Flow(factor, config["num_train_timesteps"])
    if shift != "auto":
        raise UsageError(f"shift = {shift}: {name} is no scheduler of a flow; leave it out.")
    own = config.get("prediction_type", "epsilon")
    if name == "ScoreSdeVeScheduler":
        _known(name, prediction, "auto", ["auto"])
        return Score(ExplodingVE(config["sigma_min"], config["sigma_max"], rho=0.0))
    if name.startswith("EDM"):
        kind = _known(name, prediction, own, ["epsilon", "v_prediction"])
        rho = 0.0 if config.get("sigma_schedule") == "exponential" else config["rho"]
        noise = ExplodingVE(config["sigma_min"], config["sigma_max"], rho)
        return Preconditioned(noise, config["sigma_data"], kind)
    if config.get("timestep_type") == "continuous" and own == "v_prediction":
        _known(name, prediction, own, [own])
        return Preconditioned(ExplodingVE(*_ends(scheduler)), 1.0, own)
    if hasattr(scheduler, "alphas_cumprod"):
        kind = _known(name, prediction, own, ["epsilon", "sample", "v_prediction"])
        return Diffusion(_discrete(scheduler, kind), kind)
    raise UsageError(
        f"{name}: no noise process is known for this scheduler; known are those with "
        f"alphas_cumprod, FlowMatch..., EDM... and ScoreSdeVeScheduler."
    )


def _known(scheduler: str, asked: str, own: str, known: list[str]) -> str:
    """What the network predicts: as asked, or the scheduler's own."""
    kind = own if asked == "auto" else asked
    if kind not in known:
        raise UsageError(
            f"prediction = {kind!r}: with {scheduler} a network predicts {' or '.join(known)}; "
            f"leave it out, or set that."
        )
    return kind


def _discrete(scheduler: Any, kind: str) -> VPSchedule:
    abar, config = scheduler.alphas_cumprod, scheduler.config
    silent = bool(config.get("rescale_betas_zero_snr")) or float(abar[-1]) == 0
    if silent and kind == "epsilon":
        raise UsageError(
            "prediction = 'epsilon': the last step of this scheduler holds no signal (zero "
            "terminal SNR), so x_0 does not follow from epsilon there; set prediction = "
            '"v_prediction" if the network was trained so, or take rescale_betas_zero_snr out of '
            "scheduler_config.json."
        )
    trailing = silent or config.get("timestep_spacing") == "trailing"
    return (TrailingVP if trailing else VPSchedule)(abar)


def _ends(scheduler: Any) -> tuple[float, float]:
    """The smallest and the largest noise level of an Euler scheduler in continuous time."""
    config, levels = scheduler.config, scheduler.sigmas[:-1]
    low, high = config.get("sigma_min"), config.get("sigma_max")
    return float(low or levels.min()), float(high or levels.max())


def _shift_of(config: Mapping[str, Any], tokens: int | None) -> float:
    """The factor of a flow's shift; a dynamic one is linear in the number of tokens.

    Source: the repository of FLUX (black-forest-labs/flux), sampling.py.
    """
    if not config.get("use_dynamic_shifting"):
        return float(config.get("shift") or config.get("flow_shift") or 1.0)
    if tokens is None:
        raise UsageError(
            "shift = 'auto': this scheduler's shift depends on a number of tokens, and this "
            "network makes none; set a number."
        )
    low, high = config["base_image_seq_len"], config["max_image_seq_len"]
    share = (tokens - low) / (high - low)
    mu = config["base_shift"] + share * (config["max_shift"] - config["base_shift"])
    return float(mu if config.get("time_shift_type") == "linear" else math.exp(mu))
