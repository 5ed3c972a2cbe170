"""Data of the classification of table rows: the classes, and the rows that have one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from typing_extensions import override

from engine.config.data.file import FileConfig
from engine.config.tasks.tabular_classification import TabularClassificationConfig
from engine.data.load import load_data
from engine.data.lost_splits import lost
from engine.data.on_disk import selected
from engine.data.raw import TRAIN, VALIDATION, RawData, Skip, class_names
from engine.data.tables.values import words_for_missing
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.tables.fitted import TabularFitted
from engine.pipelines.tables.inputs import find_target, fit_inputs
from engine.pipelines.tables.labels import with_known_spelling
from engine.pipelines.tables.summary import table_summary
from engine.pipelines.tabular import TabularPipeline
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note
from engine.text.classes.labels import classes_among, merges_fractions, named_column, too_many
from engine.text.classes.names import with_named_classes

_MAX_CLASSES = 1000
_MAX_SCORED = 8
"""Classes, the most frequent ones, that texts and ids have a score for at most."""


class ClassesFitted(TabularFitted):
    """With the classes, the training rows of each, and the temperature of probabilities."""

    classes: list[str]
    counts: list[int]
    temperature: float = 1.0
    """Divisor of the logits, fitted on the validation split; 1 in models that were not."""
    positive: int = 1
    """Number of the positive class, where there are two."""
    threshold: float | None = None
    """Probability of the positive class from which on a row is taken for it; ``None`` takes the
    likelier class."""
    threshold_reached: bool = True
    """Whether the threshold has what it was chosen for, on the validation split."""

    @override
    def without_network(self) -> Self:
        return super().without_network().model_copy(update={"temperature": 1.0})


class TabularClassificationPipeline(TabularPipeline[ClassesFitted]):
    """Rows whose target is the name of a class."""

    section: TabularClassificationConfig
    fitted_type = ClassesFitted
    target_kind = "classes"

    @override
    def read(self) -> RawData:
        """Read the data, classes as they are written where a type would write them otherwise."""
        raw = super().read()
        data, target = self.config.data, find_target(raw.train, self.section.target)
        kind = raw.train.schema.field(target).type
        dated = pa.types.is_temporal(kind)
        doubtful = dated or pa.types.is_floating(kind)
        if not doubtful or not isinstance(data, FileConfig) or target in data.columns:
            return raw
        columns = {**data.columns, target: "text"}
        written = load_data(data.model_copy(update={"columns": columns}), flat=True)
        return written if dated or merges_fractions(written.train[target]) else raw

    def clean_target(self, table: pa.Table, target: str) -> pa.ChunkedArray:
        """Names of classes."""
        if pa.types.is_nested(table.schema.field(target).type):
            raise DataError(f"The target {plain(target, 60)!r} has lists instead of classes.")
        return named_column(table, target)

    @override
    def target_notes(self, table: pa.Table, target: str) -> Iterator[Note]:
        """Yield a doubt on classes that may be words for a missing value."""
        words = words_for_missing(table[target])
        if words and target not in self.config.data.columns:
            named = ", ".join(repr(plain(word, 20)) for word in words[:4])
            rows = pc.sum(pc.is_in(table[target], pa.array(words))).as_py()
            why = f"{named} is a class, though it may mean that the class is missing"
            yield Note(why, plain(target, 60), "categories", rows)

    def stratify_by(self, target: str) -> str:
        """Classes keep their shares."""
        return target

    def load(self) -> RawData:
        """Read and split the data; leave out rows of classes that the training rows lack."""
        raw = super().load()
        target = find_target(raw.train, self.section.target)
        return with_named_classes(_without_strangers(raw, target), target, self.section.class_names)

    @override
    def centred_targets(
        self, table: pa.Table, fitted: ClassesFitted
    ) -> dict[str, NDArray[np.float64]]:
        """Whether rows have a class, for the most frequent ones; of two, one says it all."""
        ranked = sorted(zip(fitted.counts, fitted.classes, strict=True), reverse=True)
        names = [name for _, name in ranked[:_MAX_SCORED]][: max(1, len(ranked) - 1)]
        flags = {name: np.asarray(pc.equal(table[fitted.target], name), float) for name in names}
        return {name: own - own.mean() for name, own in flags.items()}

    def fit(self, raw: RawData) -> ClassesFitted:
        """Classes and features of the training rows."""
        target, columns, features = fit_inputs(raw, self.section, self.config.data)
        counted = raw.train[target].value_counts().to_pylist()
        found = {entry["values"]: entry["counts"] for entry in counted}
        classes, counts = classes_among(found, class_names(raw.train, target))
        present = [name for name, count in zip(classes, counts, strict=True) if count]
        if len(present) == 1:
            raise DataError(
                f"All training rows have the same {plain(target, 60)}, {plain(present[0], 60)!r}.",
                "Choose another task.target.",
            )
        if len(present) > _MAX_CLASSES or too_many(len(present), raw.train.num_rows):
            raise DataError(
                f"The target {plain(target, 60)!r} has {len(present):,} different values.",
                "Choose another task.target, or the task tabular_regression for numbers.",
            )
        return ClassesFitted(
            target=target, columns=columns, features=features, classes=classes, counts=counts,
            positive=self._positive(classes, counts, VALIDATION in raw.splits),
        )  # fmt: skip

    def _positive(self, classes: Sequence[str], counts: Sequence[int], validated: bool) -> int:
        """Return the number of the positive class. Raises ``DataError`` where none can be."""
        wanted, rule = self.section.positive, self.section.rule
        if rule is None:
            return 1
        if len(classes) != 2:
            raise DataError(
                f"task.threshold decides between two classes, but there are {len(classes)}.",
                "Leave it empty.",
            )
        if rule.aim != "value" and not validated:
            raise DataError(
                f"task.threshold={self.section.threshold!r} is chosen on the validation rows, and "
                "there are none.",
                "Set data.validation_fraction, or a probability such as task.threshold=0.3.",
            )
        if wanted and wanted not in classes:
            known = " and ".join(repr(plain(name, 40)) for name in classes)
            raise DataError(
                f"task.positive={plain(wanted, 40)!r} is not a class.", f"They are {known}."
            )
        return classes.index(wanted) if wanted else int(counts[1] <= counts[0])

    def summarize(self, raw: RawData, fitted: ClassesFitted) -> DataSummary:
        """Columns, classes and what was left out."""
        counted = sorted(zip(fitted.classes, fitted.counts, strict=True), key=lambda item: -item[1])
        target = ColumnSummary(
            name=fitted.target,
            type="categorical",
            role="target",
            distinct=sum(count > 0 for count in fitted.counts),
            example=counted[0][0],
        )
        positive = plain(fitted.classes[fitted.positive], 40)
        facts = {"positive class": positive} if self.section.rule else {}
        return table_summary(self.config, raw, fitted, target, facts, dict(counted))


def _without_strangers(raw: RawData, target: str) -> RawData:
    """Validation and test rows whose class occurs in the training rows; the rest is reported."""
    raw = with_known_spelling(raw, target)
    known = raw.train[target].unique()
    splits, skips, notes = dict(raw.splits), [], []
    for split, table in raw.splits.items():
        strange = pc.invert(pc.is_in(table[target], value_set=known))
        count = pc.sum(strange).as_py() or 0
        if split == TRAIN or not count:
            continue
        first = plain(table[target].filter(strange)[0].as_py(), 40)
        if count == table.num_rows:
            del splits[split]
            why = f"no row of {split} has a {plain(target, 60)} that training rows have"
            notes.append(lost(split, f"{why}, but such as {first!r}", count))
            continue
        reason = f"{plain(target, 60)} that no training row has"
        skips.append(Skip(reason, count, f"{first!r} in {split}"))
        splits[split] = selected(table, ~strange.to_numpy())
    return raw.with_splits(splits, *notes).with_skips(*skips)
