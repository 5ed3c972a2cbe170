"""Pre-trained networks of transformers: where they are, and how their weights are read.

Nothing that is loaded is executed: no code from the hub, no pickled weights.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    StrictDataclassError,
)
from safetensors import SafetensorError
from torch import nn

from engine.config.models.pretrained import WeightsConfig
from engine.config.models.weights_path import ADAPTER, base_of_adapter, source_of
from engine.errors import TrainingError
from engine.files.paths import is_folder
from engine.files.sanitize import first_line, plain
from engine.hub_reach import offline_where_unreachable
from engine.models.weights.embeddings import untie
from engine.models.weights.outline import outline_of_stored, outlines
from engine.models.weights.recorded_build import NotRecorded
from engine.models.weights.timm import head_weights
from engine.models.weights.weightless import (
    WEIGHTS,
    DamagedWeights,
    stored_weights,
    write_weightless,
)
from engine.torch_private import without_modes

transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
# Do not log a table of new weights: the head is always new.
transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]


_HEADS_INSIDE = {"perceiver": ("decoder",)}
"""Parts of the body that a type has another one of for each task."""
_PER_CLASS = re.compile(r"class|score")
"""In the names of layers within a body that have a row for each class."""
_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError,
               ArithmeticError, StrictDataclassError)  # fmt: skip
_SETTINGS = ("config.json", "generation_config.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder or a name on the hub, and an adapter that is merged into its weights."""

    place: str
    revision: str
    adapter: str = ""
    adapter_revision: str = "main"


def weights_of(config: WeightsConfig) -> Weights:
    """Return the source of a model's weights: for an adapter its base, and itself.

    Raises ``OSError``, within :func:`readable` a :class:`TrainingError`.
    """
    place = source_of(config.path)
    found = found_file(
        place, ADAPTER, config.revision, _raise_exceptions_for_connection_errors=False
    )
    record = json.loads(Path(found).read_text()) if found else {}
    base = record.get("base_model_name_or_path") if isinstance(record, dict) else None
    if not isinstance(base, str) or not base:
        return Weights(place, config.revision)
    return Weights(source_of(base), record.get("revision") or "main", place, config.revision)


def found_file(place: str, name: str, revision: str, **options: Any) -> str | None:
    """Return the path of a model's file, in its folder or from the hub; none where it has none."""
    found: str | None = transformers.utils.hub.cached_file(
        place, name, revision=revision, _raise_exceptions_for_missing_entries=False, **options
    )
    return found


def base_of(config: WeightsConfig) -> str:
    """Return the source of the pre-trained weights, as transformers and peft find it.

    Empty for new weights, and for an adapter: a further one on top of it could not name its base.
    """
    if config.from_scratch:
        return ""
    with readable(config):
        weights = weights_of(config)
    return "" if weights.adapter else weights.place


def pretrained_config(config: WeightsConfig) -> Any:
    """The ``PretrainedConfig`` of a trained model; raises :class:`TrainingError`."""
    with readable(config):
        weights = weights_of(config)
        return transformers.AutoConfig.from_pretrained(
            weights.place, revision=weights.revision, trust_remote_code=False
        )


def bytes_by_type(config: WeightsConfig) -> dict[str, int]:
    """Return the bytes of a model's stored weights by their type, the commonest first.

    Raises :class:`TrainingError`.
    """
    bytes_of: Counter[str] = Counter()
    with readable(config):
        weights = weights_of(config)
        for weight in stored_weights(weights.place, weights.revision).values():
            bytes_of[weight.dtype] += weight.size
    return dict(bytes_of.most_common())


def load_pretrained(config: WeightsConfig, auto: Any, architecture: Any, dtype: Any) -> Any:
    """Return the network of one of transformers' ``auto`` classes with its weights read.

    Within :func:`~engine.models.weights.outline.outline` it has shapes only, and its weights are
    read later.

    Its ``new_weights`` are those that no file has, and its ``new_layers`` their layers: newly
    initialised, they must be trained and saved even where all else is frozen. Its
    ``unused_weights`` are those that a file has and the network has not. On the device meta only
    the names and shapes of weights are read. Raises :class:`TrainingError` where more than a head
    is missing.
    """
    if not outlines():
        return _loaded(config, auto, architecture, dtype)
    with without_modes(), torch.device("meta"):
        network = _loaded(config, auto, architecture, dtype)
    return _for_later(network, weights_of(config))


def _loaded(config: WeightsConfig, auto: Any, architecture: Any, dtype: Any) -> Any:
    """Return the network with its weights read; on the device meta their names and shapes."""
    with readable(config):
        weights = weights_of(config)
        network, lacking = _read(auto, weights, architecture, dtype)
        if body_of_another_name(type(network)) and not _body_found(network, lacking):
            lacking = _read_body(network, weights, lacking)
    _check_body(config, network, lacking)
    if weights.adapter and network.device.type != "meta":
        network = _merged_adapter(config, network, weights)
    _keep_frozen(network)
    network.new_weights = sorted(lacking)
    network.new_layers = sorted({name.rpartition(".")[0] for name in lacking})
    return network


def _for_later(network: Any, weights: Weights) -> Any:
    """Return an outline whose weights are read when they are needed."""
    if weights.adapter:
        raise NotRecorded("an adapter is merged into the weights")
    return outline_of_stored(network, weights.place, weights.revision)


def _keep_frozen(network: Any) -> None:
    """Freeze what a network's class freezes, such as sinusoidal positions, which are not saved.

    Reading the weights forgets it.
    """
    with torch.device("meta"):
        made = type(network)(network.config)
    frozen = {name for name, part in made.named_parameters() if not part.requires_grad}
    for name, parameter in network.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)


def _read(auto: Any, weights: Weights, architecture: Any, dtype: Any) -> tuple[Any, set[str]]:
    """Return a network, and the names of its weights that are new."""
    with _where_to_read(weights) as (place, options):
        network, info = auto.from_pretrained(
            place,
            **options,
            config=architecture,
            dtype=dtype,
            trust_remote_code=False,
            use_safetensors=True,
            # A head for other classes is replaced by a new one.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    network.unused_weights = sorted(info["unexpected_keys"])
    network.per_class_weights = {
        name for name, *shapes in info["mismatched_keys"] if _is_per_class(network, name, shapes)
    }
    return network, {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}


def _is_per_class(network: Any, name: str, shapes: Sequence[Sequence[int]]) -> bool:
    """Return whether a weight has a row for each class, of which the file has another number.

    Detectors have such layers in their decoders. One row more is for no object.
    """
    theirs, ours = shapes
    classes = getattr(network.config, "num_labels", 0)
    fits = ours[0] in (classes, classes + 1) and list(theirs[1:]) == list(ours[1:])
    return fits and _PER_CLASS.search(name) is not None


@contextlib.contextmanager
def _where_to_read(weights: Weights) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the source of weights to ``from_pretrained``; on the device meta they have no values."""
    if torch.get_default_device().type != "meta":
        yield weights.place, {"revision": weights.revision}
        return
    with tempfile.TemporaryDirectory() as folder, torch.device("cpu"):
        write_weightless(stored_weights(weights.place, weights.revision), Path(folder) / WEIGHTS)
        for name in _SETTINGS:
            if found := found_file(weights.place, name, weights.revision):
                shutil.copy(found, folder)
        yield folder, {"device_map": "meta"}


def body_of_another_name(kind: Any) -> dict[str, str]:
    """Return the renaming (``key_mapping``) of weights that a class of networks needs, if any.

    The class is one of transformers', or a name; a class of another package needs none.

    Some classes call their body by another name than all others of their family, whose weights
    transformers does not find for them.
    """
    kind = getattr(transformers, kind, None) if isinstance(kind, str) else kind
    if kind is None:
        return {}
    own = kind.base_model_prefix
    family = transformers.MODEL_MAPPING.get(kind.config_class, None)
    usual = getattr(family, "base_model_prefix", own)
    return {} if usual == own else {rf"^{usual}\.": f"{own}."}


def _body_found(network: Any, lacking: set[str]) -> bool:
    inside = f"{network.base_model_prefix}."
    return any(name.startswith(inside) for name in network.state_dict().keys() - lacking)


def _read_body(network: Any, weights: Weights, lacking: set[str]) -> set[str]:
    """Read the body by itself, by the name that others of its family have; returns what lacks."""
    own = network.base_model_prefix
    architecture, dtype = network.config, network.dtype
    setattr(network, own, nn.Identity())  # frees its memory
    body, missing = _read(transformers.AutoModel, weights, architecture, dtype)
    setattr(network, own, body)
    network.unused_weights = body.unused_weights
    head = {name for name in lacking if not name.startswith(f"{own}.")}
    return head | {f"{own}.{name}" for name in missing}


def _check_body(config: WeightsConfig, network: Any, lacking: set[str]) -> None:
    """Refuse a network of which more than the head would be random."""
    missing = sorted(_missing_in_body(network, lacking - head_weights(network)))
    if missing:
        more = f" and {len(missing) - 1:,} more" if missing[1:] else ""
        raise TrainingError(
            f"model.path: {plain(config.path, 200)} lacks weights that {type(network).__name__} "
            f"needs besides its head: {missing[0]}{more}. They would be random.",
            "Choose another model, or another task.",
        )


def _missing_in_body(network: Any, lacking: set[str]) -> set[str]:
    """Return the missing weights that belong to no head; a pooler of the body is part of one."""
    prefix = network.base_model_prefix
    within = f"{prefix}." if isinstance(getattr(network, prefix, None), nn.Module) else ""
    lacking = lacking - getattr(network, "per_class_weights", set())
    names = {name for name in network.state_dict() if name.startswith(within)}

    def part_of(name: str) -> str:
        return name.removeprefix(within).partition(".")[0]

    found = {part_of(name) for name in names - lacking}
    new = {part_of(name) for name in names & lacking} - found
    inside = _HEADS_INSIDE.get(network.config.model_type, ())
    heads = {part for part in new if "pool" in part or part in inside or not within}
    heads = heads if found else set()
    return {name for name in names & lacking if part_of(name) not in heads}


def _merged_adapter(config: WeightsConfig, network: Any, weights: Weights) -> Any:
    """Return the network with an adapter merged into its weights, to continue from there."""
    import peft  # seconds, for an adapter alone

    with readable(config):
        found = found_file(weights.adapter, "adapter_model.safetensors", weights.adapter_revision)
        if not found:
            raise TrainingError(
                f"model.path: the adapter in {plain(weights.adapter, 200)} has no weights in "
                "safetensors format."
            )
        adapted = peft.PeftModel.from_pretrained(network, str(Path(found).parent))
        untie(adapted.get_base_model())
    return adapted.merge_and_unload(safe_merge=True).requires_grad_(True)


@contextlib.contextmanager
def readable(config: WeightsConfig) -> Iterator[None]:
    """Convert transformers' error for an unavailable model to one sentence.

    Where the hub cannot be reached, a model of the hub is searched in the local cache only.
    """
    place = source_of(config.path)
    here = is_folder(Path(base_of_adapter(place) or place))
    try:
        with contextlib.nullcontext() if here else offline_where_unreachable():
            yield
    except _UNREADABLE as error:
        raise TrainingError(*_reason(config, error)) from error


def _reason(config: WeightsConfig, error: BaseException) -> tuple[str, str]:
    name = f"{config.path[:200]}" + (f" ({config.revision})" if config.revision != "main" else "")
    causes = list(_causes(error))
    offline = "HF_HUB_OFFLINE" in os.environ
    if any(isinstance(cause, GatedRepoError) for cause in causes):
        return (
            f"model.path: the hub gives {name} only to those who accepted its terms.",
            "Accept them on its page and set HF_TOKEN.",
        )
    if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
        return (
            f"model.path: there is no model {name} on the hub, or it is private.",
            "Look for a slip in the name, or set HF_TOKEN.",
        )
    if any(isinstance(cause, LocalEntryNotFoundError) for cause in causes):
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        return (
            f"model.path: {name} is not on this machine, and {why}.",
            "Give a local folder, or leave model.path empty to train from scratch.",
        )
    if isinstance(error, ImportError) and "timm" in str(error):
        return (
            f"model.path: {name} is a network of timm, which is not installed.",
            "Install it with: pip install 'dltui[timm]'.",
        )
    if "trust_remote_code" in str(error):
        return f"model.path: {name} needs custom code, which is never run here.", ""
    if isinstance(error, DamagedWeights):
        return f"model.path: {name} cannot be loaded: {error}.", "Copy or download it again."
    if "backend tokenizer" in str(error):
        return f"model.path: {name} has no tokenizer that can be read.", "Choose a model of texts."
    if "safetensors" in str(error):
        return f"model.path: {name} has no weights in safetensors format.", "Choose another model."
    said = first_line(error)
    if isinstance(error, StrictDataclassError):  # its last line says what is wrong
        said = plain(str(error).strip().splitlines()[-1].strip(), 300)
    return f"model.path: {name} cannot be loaded: {said}", ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
