"""What a prediction rests on, for networks whose answer is known."""

from __future__ import annotations

import base64

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from engine.data.tables.features import fit_features
from engine.data.tables.schema import CategoricalFeature, Column, Features, NumericFeature
from engine.errors import DataError
from engine.explanations.columns import occlusion, usual_inputs
from engine.explanations.grad_cam import grad_cam
from engine.explanations.heat_map import heated, place_of
from engine.explanations.targets import likeliest, number_of
from engine.explanations.words import token_weights, word_weights
from engine.reports.explanation import Explanation
from engine.reports.picture import Picture
from engine.reports.views import Pictures, Shaded, Table
from engine.tasks.explanations.row import ExplainedOutputs, explain_row
from tui.format.explained import explained


def bright_square(size: int = 8, top: int = 0, left: int = 6, side: int = 2) -> Tensor:
    image = torch.zeros(1, 1, size, size)
    image[0, 0, top : top + side, left : left + side] = 1.0
    return image


class Brightness(nn.Module):
    """Class 1 is bright, class 0 is dark."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 1, 1, bias=False)
        self.head = nn.Linear(1, 2, bias=False)
        self.features.weight.data.fill_(1.0)
        self.head.weight.data = torch.tensor([[-1.0], [1.0]])

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).mean((2, 3)))


def test_the_map_peaks_where_a_bright_square_decides() -> None:
    image = bright_square()
    heat = grad_cam(Brightness(), image, 1)
    assert heat is not None
    assert np.array_equal(heat.weights, image[0, 0].numpy()), "nothing else speaks for it"
    assert place_of(heat.weights) == "upper right (100%)"
    against = grad_cam(Brightness(), image, 0)
    assert against is not None
    assert not against.weights.any()
    assert place_of(against.weights) == ""


def test_channels_are_weighed_by_their_mean_gradients() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(180, 4),
    ).requires_grad_(False)  # fmt: skip
    image = torch.rand(1, 3, 6, 6)
    values = network[1](network[0](image))[0].numpy()
    slopes = network[3].weight[2].reshape(5, 36).numpy()
    expected = np.maximum(np.tensordot(slopes.mean(1), values, 1), 0)
    heat = grad_cam(network, image, 2)
    assert heat is not None
    assert heat.layer == "1"
    np.testing.assert_allclose(heat.weights, expected / expected.max(), atol=1e-6)
    with torch.inference_mode():
        again = grad_cam(network, torch.rand(1, 3, 6, 6), 2)
    assert again is not None


class TinyViT(nn.Module):
    """The class token sees the patches in the attention only, as in a ViT."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.LayerNorm(4)
        self.after_norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 2, bias=False)
        self.token = nn.Parameter(torch.zeros(1, 1, 4))

    def forward(self, images: Tensor) -> Tensor:
        patches = images.flatten(2).transpose(1, 2)
        tokens = self.before(torch.cat([self.token, patches], 1))
        mixed = tokens + torch.cat([tokens.mean(1, keepdim=True), torch.zeros_like(patches)], 1)
        return self.head(self.after_norm(mixed)[:, 0])


def test_tokens_of_patches_are_places_as_long_as_the_class_looks_at_them() -> None:
    torch.manual_seed(0)
    heat = grad_cam(TinyViT(), torch.rand(1, 4, 3, 3), 1)
    assert heat is not None
    assert heat.layer == "before", "behind the attention the class token is read alone"
    assert heat.weights.shape == (3, 3)


class WithAttention(TinyViT):
    """A ViT whose attention, ``[1, heads, tokens, tokens]``, passes through a dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        square = self.share(images.new_ones(1, 2, 10, 10) * images.sum())
        return logits + square.sum()


def test_attention_between_tokens_is_no_place_of_the_image() -> None:
    heat = grad_cam(WithAttention().eval(), torch.rand(1, 4, 3, 3), 1)
    assert heat is not None
    assert heat.layer == "before"


def test_a_network_without_places_has_no_map() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert grad_cam(network, torch.rand(1, 1, 2, 2), 0) is None


def test_heat_is_orange_and_its_absence_blue() -> None:
    image = np.full((4, 4, 1), 100, np.uint8)
    hot = heated(image, np.array([[0, 1], [0, 1]], np.float32))
    assert hot.shape == (4, 4, 3)
    cold, warm = hot[0, 0], hot[0, 3]
    assert cold[2] > cold[0]
    assert warm[0] > warm[2]
    assert cold.tolist() == [round((100 + value) / 2) for value in (10, 30, 120)]


@pytest.mark.parametrize(
    ("row", "column", "name"), [(0, 0, "upper left"), (1, 1, "middle"), (2, 1, "lower middle")]
)
def test_the_place_is_told_in_words(row, column, name) -> None:
    weights = np.zeros((3, 3), np.float32)
    weights[row, column] = 1
    assert place_of(weights).startswith(f"{name} (")


class Words(nn.Module):
    """The logits are sums over tokens of an embedding's products with the head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(30, 3)
        self.head = nn.Linear(3, 2)

    def get_input_embeddings(self) -> nn.Module:
        return self.embedding

    def forward(self, input_ids: Tensor) -> object:
        logits = self.head(self.embedding(input_ids).sum(1))
        return type("Output", (), {"logits": logits})()


def test_the_weight_of_a_token_is_what_a_linear_network_loses_without_it() -> None:
    network = Words().requires_grad_(False)
    ids = torch.tensor([[4, 7, 7, 9]])
    weights = token_weights(network, {"input_ids": ids}, 1)
    whole = network(ids).logits[0, 1]
    for place, weight in enumerate(weights):
        without = torch.cat([ids[:, :place], ids[:, place + 1 :]], 1)
        assert weight == pytest.approx(float(whole - network(without).logits[0, 1]), abs=1e-5)


def test_the_weights_of_sub_words_are_added_up() -> None:
    from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

    tokenizer = wordpiece_from(train_wordpiece(["good film bad abad !"] * 5, 60, True))
    text, pair = "Good filmbad", "bad!"
    ids = tokenizer(text, pair)["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    weights = [float(place) for place in range(len(ids))]
    found = word_weights(tokenizer, [text, pair], ids, weights)
    assert [word for word, _ in found] == ["Good", "filmbad", "bad", "!"]
    special = {place for place, token in enumerate(tokens) if token.startswith("[")
               and token != "[UNK]"}  # fmt: skip
    assert sum(weight for _, weight in found) == sum(set(range(len(ids))) - special)
    end = tokens.index("[SEP]")
    first = next(place for place, token in enumerate(tokens) if token.startswith("fil"))
    assert end - first > 1, "the word is one of several tokens"
    assert found[1][1] == sum(range(first, end))


FEATURES = Features(
    columns=[Column(name="age", type="numeric"), Column(name="job", type="categorical")],
    numeric=[
        NumericFeature(column="age", part="value", mean=40, std=10),
        NumericFeature(column="age", part="missing", mean=0.2, std=0.4),
    ],
    categorical=[CategoricalFeature(column="job", categories=["cook", "poet"], usual=2)],
)  # fmt: skip


class Salary(nn.Module):
    """Years and the job change the pay, and whether the age is known."""

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        age, job = inputs["numeric"], inputs["categorical"]
        cook = (job[:, 0] == 1).float()
        return (100 + 5 * age[:, 0] + 7 * age[:, 1] + 30 * cook)[:, None]


def row(age: float, missing: float, job: int) -> dict[str, Tensor]:
    return {"numeric": torch.tensor([[age, missing]]), "categorical": torch.tensor([[job]])}


def test_a_column_is_worth_what_its_usual_value_changes() -> None:
    usual = usual_inputs(FEATURES)
    assert usual["numeric"].tolist() == [[0.0, -0.5]], "not missing"
    assert usual["categorical"].tolist() == [[2]], "the most frequent category"
    pay = ExplainedOutputs(["pay"], "value", lambda network, batch: network(batch.inputs))
    explanation = explain_row(Salary(), row(2.0, -0.5, 1), pay, FEATURES, "")
    (table,) = explanation.views
    assert table.columns == ["column", "value", "usual value", "change of pay"]
    assert table.rows == [["job", "cook", "poet", 30.0], ["age", "60", "40", 10.0]]
    assert table.title == "pay is 136.5"
    assert list(occlusion(usual, usual, {"age": {"numeric": [0, 1]}}, lambda x: Salary()(x)[:, 0])
                .values()) == [0.0]  # fmt: skip


def test_the_most_frequent_category_is_recorded() -> None:
    jobs = ["cook", "poet", "cook", None, "cook", "poet", "seer"]
    ages = list(range(7))
    columns = [Column(name="job", type="categorical"), Column(name="age", type="numeric")]
    features = fit_features(pa.table({"job": jobs, "age": ages}), columns, "standard")
    (job,) = features.categorical
    assert (job.categories, job.usual) == (["cook", "poet"], 1)
    assert CategoricalFeature(column="job", categories=["cook"]).usual == 0, "of earlier runs"


def test_a_target_is_found_by_its_name() -> None:
    scores, names = torch.tensor([0.1, 0.7, 0.2]), ["cat", "dog", "cow"]
    assert number_of("", names, scores) == 1
    assert number_of("cow", names, scores) == 2
    assert likeliest(scores, names) == ["dog", "cow", "cat"]
    with pytest.raises(DataError, match="Did you mean dog"):
        number_of("dogg", names, scores)


def test_an_explanation_is_told_in_lines() -> None:
    rgb = base64.b64encode(bytes(3)).decode()
    views = [
        Pictures("cat", [Picture(1, 1, rgb, "for cat: middle (40%)", "a.png", "9×8")]),
        Shaded("Words", [("good", 0.25), ("\x1b[2J", -1.0)]),
        Table("p", ["column", "change"], [["age", 0.5], ["income", -0.25]]),
    ]
    explanation = Explanation("cat", ["cat"], "by hand", views)
    assert list(explained(Explanation.from_record(explanation.record()))) == [
        "cat: by hand",
        "for cat: middle (40%)  a.png  9×8 px",
        "       +0.25  good",
        "          -1  ␛[2J",
        "column  change",
        "age     +0.5",
        "income  -0.25",
    ]
