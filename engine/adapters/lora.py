"""LoRA adapters by peft: add to a network, save and load."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import peft
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from engine.adapters.fused_lora import fuse
from engine.adapters.layers import adaptable, heads, plain_network, token_embedding
from engine.adapters.nf4 import dequantize
from engine.adapters.targets import resolve
from engine.config.adapter import AdapterConfig
from engine.errors import TrainingError
from engine.files.sanitize import first_line
from engine.models.images.transfer import Transfer
from engine.models.weights.embeddings import output_layer, untie, without_token_ties

_REVERSIBLE = ("reformer",)
"""Types whose layers are one function with a backward pass of its own, run for its input only."""
_INITS: dict[str, Any] = {"default": True, "gaussian": "gaussian", "pissa": "pissa"}


def with_adapter(network: nn.Module, config: AdapterConfig, base: str = "") -> nn.Module:
    """Return ``network`` with an adapter after ``config``; everything else is frozen.

    ``base`` is the name of the base model's weights, for the adapter's record. Without an adapter
    the network is returned as it is. Raises :class:`TrainingError`.
    """
    if not config.active:
        return network
    if isinstance(network, Transfer):
        network.network = with_adapter(network.network, config, base)
        if base:  # else all of the network is saved, statistics too
            network.keep_statistics()
        return network
    targets = resolve(network, config)
    _check_init(network, targets, config)
    _check_added_tokens(network, targets)
    experts = _experts_among(network, targets, config)
    modules = [name for name in targets if name not in experts]
    kept = _kept_whole(network, config)
    lora = peft.LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.lora_dropout,
        target_modules=_shortest(network, modules),
        target_parameters=experts or None,
        bias=config.bias,
        use_dora=config.method == "dora",
        use_rslora=config.method == "rslora",
        init_lora_weights=_INITS[config.init_lora_weights],
        modules_to_save=_as_peft_finds(network, kept, config) or None,
        trainable_token_indices=_added_tokens(network, kept),
        inference_mode=False,
    )
    if any(isinstance(module, Conv1D) for module in network.modules()):
        lora.fan_in_fan_out = True  # GPT-2 stores its weights transposed
    try:
        with without_token_ties(network):
            adapted: nn.Module = peft.get_peft_model(network, lora)
    except (ValueError, NotImplementedError) as error:
        raise TrainingError(f"adapter: {first_line(error)}") from error
    _check_magnitudes(adapted)
    if base:
        # peft takes the name in the network's configuration, which may be a folder of the hub.
        lora.base_model_name_or_path = base
    fuse(adapted)
    _let_gradients_in(network)
    return adapted


def _let_gradients_in(network: Any) -> None:
    """Let gradients reach the embeddings where the layers have none otherwise.

    With gradient checkpointing peft does it for all, see build_transformer.
    """
    if getattr(getattr(network, "config", None), "model_type", "") in _REVERSIBLE:
        network.enable_input_require_grads()
    else:
        getattr(network, "disable_input_require_grads", lambda: None)()


def peft_model(network: nn.Module) -> Any:
    """Return the ``PeftModel`` that a network with an adapter is, or contains."""
    inside = plain_network(network)
    assert isinstance(inside, peft.PeftModel)
    return inside


def merged(network: nn.Module) -> nn.Module:
    """Return a copy of the network with the adapter merged into its weights, free of peft."""
    apart = copy.deepcopy(network)
    dequantize(apart)
    # The sum needs the precision that frozen weights in half precision lack.
    model = peft_model(apart.float())
    untie(model.get_base_model())
    whole: nn.Module = model.merge_and_unload(safe_merge=True)
    return _inside(apart, whole).requires_grad_(True)


def _inside(network: nn.Module, part: nn.Module) -> nn.Module:
    """Return the network with ``part`` in place of the plain network inside."""
    if not isinstance(network, Transfer):
        return part
    network.network = part
    return network


def save_initial(network: nn.Module, config: AdapterConfig, path: Path) -> None:
    """Save PiSSA's adapter as initialised; without it the trained one cannot be saved.

    PiSSA takes the largest part of each weight out of the base model. The adapter that is saved is
    the difference, which fits the original base model (Meng et al. 2024, appendix on conversion).
    """
    if config.init_lora_weights == "pissa" and not path.exists():
        save_file(_adapter_weights(network), path)


def save_adapter(network: nn.Module, folder: Path, initial: Path) -> None:
    """Write ``adapter_config.json``, ``adapter_model.safetensors`` and a model card."""
    model = peft_model(network)
    config: Any = model.peft_config["default"]
    if config.init_lora_weights != "pissa":
        # Rows of added tokens are saved separately; peft would add the whole embedding.
        model.save_pretrained(str(folder), save_embedding_layers=False)
        return
    weights = _difference(_adapter_weights(network), load_file(initial))
    save_file(weights, folder / "adapter_model.safetensors", {"format": "pt"})
    # Twice the rank at the same scale, alpha / r.
    usual = dataclasses.replace(
        config, r=2 * config.r, lora_alpha=2 * config.lora_alpha, init_lora_weights=True
    )
    usual.inference_mode = True
    usual.save_pretrained(str(folder))
    model.create_or_update_model_card(str(folder))


def _adapter_weights(network: nn.Module) -> dict[str, Tensor]:
    weights = peft.get_peft_model_state_dict(peft_model(network), save_embedding_layers=False)
    return {name: value.detach().cpu().contiguous() for name, value in weights.items()}


def _difference(trained: dict[str, Tensor], initial: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return ``B·A − B₀·A₀`` as one pair of matrices: ``[B, −B₀] · [A; A₀]``; the rest as it is."""
    weights = dict(trained)
    for name, before in initial.items():
        if ".lora_A." in name:
            weights[name] = torch.cat([trained[name], before], dim=0)
        elif ".lora_B." in name:
            weights[name] = torch.cat([trained[name], -before], dim=1)
    return weights


def check_weights(folder: Path) -> None:
    """Raise ``FileNotFoundError`` where peft would read the weights from a pickle instead."""
    (folder / "adapter_model.safetensors").stat()


def load_adapter(network: nn.Module, folder: Path) -> nn.Module:
    """Return ``network`` with the adapter in ``folder``; raises ``FileNotFoundError``."""
    check_weights(folder)
    inside = plain_network(network)
    with without_token_ties(inside):
        adapted: nn.Module = peft.PeftModel.from_pretrained(inside, str(folder))
    fuse(adapted)
    return _inside(network, adapted)


def _check_init(network: nn.Module, targets: list[str], config: AdapterConfig) -> None:
    layers = adaptable(network)
    odd = [name for name in targets if not isinstance(layers[name], nn.Linear | Conv1D)]
    if odd and config.init_lora_weights == "pissa":
        raise TrainingError(
            f"adapter.init_lora_weights: pissa is for linear layers, and {odd[0]} is none.",
            "Choose default, or other adapter.target_modules.",
        )


def _experts_among(network: nn.Module, targets: list[str], config: AdapterConfig) -> list[str]:
    """Return the targets that are weights of experts; raises :class:`TrainingError`."""
    layers = adaptable(network)
    experts = [name for name in targets if isinstance(layers[name], nn.Parameter)]
    if experts and (config.method == "dora" or config.lora_dropout):
        what = "method dora" if config.method == "dora" else "lora_dropout"
        raise TrainingError(
            f"adapter.{what}: an adapter on the weights of experts ({experts[0]}) has none.",
            "Choose lora or rslora without dropout, or layers without experts.",
        )
    return experts


def _check_magnitudes(network: nn.Module) -> None:
    """Refuse DoRA on a layer with a row of zeros, such as that of padding: it divides by norms."""
    for name, part in network.named_parameters():
        if "lora_magnitude_vector" in name and not part.is_meta and not bool(part.all()):
            layer = name.partition(".lora_magnitude_vector")[0].removeprefix("base_model.model.")
            raise TrainingError(
                f"adapter.method: dora divides by the norm of each row, and {layer} has a row of "
                "zeros.",
                "Choose lora or rslora, or leave that layer out.",
            )


def _check_added_tokens(network: nn.Module, targets: list[str]) -> None:
    """Refuse an adapter on layers of which the rows of new tokens are trained in full."""
    if not getattr(network, "added_tokens", ()):
        return
    layers, ends = adaptable(network), [*token_embedding(network).values(), output_layer(network)]
    named = [name for name in targets if layers[name] in ends]
    if named:
        raise TrainingError(
            f"adapter.target_modules: {named[0]} got rows for tokens that the model lacked, and "
            "these are trained in full.",
            "Leave it out, or name it in adapter.modules_to_save.",
        )


def _kept_whole(network: nn.Module, config: AdapterConfig) -> list[str]:
    """Return the full names of the modules that are trained in full."""
    kept = heads(network)
    names = [name for name, _ in network.named_modules()]
    for wanted in config.modules_to_save:
        found = [name for name in names if name == wanted or name.endswith("." + wanted)]
        if not found:
            raise TrainingError(
                f"adapter.modules_to_save: no module of this model is called {wanted[:60]!r}."
            )
        kept += found
    return list(dict.fromkeys(kept))


def _as_peft_finds(network: nn.Module, kept: list[str], config: AdapterConfig) -> list[str]:
    """Return names by which peft takes the modules in ``kept`` and no others.

    It compares the ends of names: ``norm`` would take each ``input_layernorm`` too. They are the
    names of the configuration where those suffice. Raises :class:`TrainingError` where no name
    does.
    """
    names = [name for name, _ in network.named_modules() if name]

    def also_taken(part: str) -> list[str]:
        return [name for name in names if name.endswith(part) and name not in kept]

    short = list(dict.fromkeys([*heads(network), *config.modules_to_save]))
    if not any(map(also_taken, short)):
        return short
    for name in kept:
        if name not in heads(network) and (others := also_taken(name)):
            raise TrainingError(
                f"adapter.modules_to_save: peft takes {others[0]} for {name} too, because its name "
                "ends alike.",
                "Name neither or both.",
            )
    return kept


def _added_tokens(network: nn.Module, kept: list[str]) -> dict[str, list[int]] | None:
    """Return the added rows of the embedding and of the output layer, by the name of the layer."""
    model: Any = network
    tokens = list(getattr(network, "added_tokens", ()))
    if not tokens:
        return None
    layers = {model.get_input_embeddings()}
    output = model.get_output_embeddings()
    if output is not None and not model.config.tie_word_embeddings:
        layers.add(output)
    names = [name for name, module in network.named_modules() if module in layers]
    whole = [name for name in names if any(f".{name}".endswith(f".{part}") for part in kept)]
    return {name: tokens for name in names if name not in whole} or None


def _shortest(network: nn.Module, targets: list[str]) -> list[str]:
    """Return the last parts of the names if they match the same layers, else the full names.

    Short names keep the saved configuration readable and let it fit networks of another depth.
    """
    short = list(dict.fromkeys(name.rpartition(".")[2] for name in targets))
    chosen = set(targets)
    meant = {
        name
        for name, _ in network.named_modules()
        if any(name == part or name.endswith("." + part) for part in short)
    }
    return short if meant == chosen and meant <= adaptable(network).keys() else targets
