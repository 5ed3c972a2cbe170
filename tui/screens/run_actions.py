"""Actions on a finished run from any of its screens: predict, export, report, push, eval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from textual.screen import Screen

from engine.config.run_config import RunConfig
from engine.config.tasks.forecasting import ForecastingConfig
from engine.config.tasks.generation import GenerationConfig
from engine.config.tasks.seq2seq import Seq2SeqConfig
from engine.errors import UserError
from engine.files.paths import expanded
from engine.runs.boosting import keeps_boosting
from engine.runs.directory import RunDirectory
from engine.runs.origin import host_of
from tui.format.export_formats import export_sentence, free_name, suitable_forms
from tui.format.numbers import size
from tui.report.written import FORMATS, write_report
from tui.screens.dialogs.ask_value import AskValueScreen
from tui.screens.errands import errands_of
from tui.screens.forecast_files import ask_files
from tui.screens.placed_changes import is_own
from tui.screens.registry import make_screen
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.notify import complain, tell
from tui.widgets.question import Answer

_PREDICTED = "Predict the rows of a file (CSV, JSON lines, Parquet …)"
_VISIBLE = {"private": "only you and those you let", "public": "everybody"}


class RunActions:
    """Asks for what a task needs, and starts it; it continues without the screen."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._actions: Mapping[str, Callable[[RunDirectory], None]] = {
            "predict": self.predict,
            "export": self.export,
            "report": self.report,
            "push": self.push,
            "evaluate": self.evaluate,
        }

    def do(self, name: str, run: RunDirectory | None) -> None:
        """Start an action by its name; all except queue and sweeps need a run of this machine."""
        if name == "sweeps":
            self._screen.app.push_screen(make_screen("sweeps", run))
        elif name == "queue":
            machine = host_of(run) if run is not None else ""
            self._screen.app.push_screen(make_screen("queue", machine))
        elif run is not None and is_own(self._screen, run):
            self._actions[name](run)

    def predict(self, run: RunDirectory) -> None:
        """Save predictions of the rows of a file, or of the future."""
        config = self._config_with_model(run)
        if config is None:
            return
        if isinstance(config.task, ForecastingConfig):
            known = config.task.known_future
            ask_files(self._screen, run, known, partial(self._save, run, config.name))
        else:
            self._predict_file(run, config.name)

    def _predict_file(self, run: RunDirectory, name: str) -> None:
        def answered(file: str | None) -> None:
            if file:
                self._save(run, name, file)

        dialog = PathPickerScreen(_PREDICTED, "", purpose="read")
        self._screen.app.push_screen(dialog, answered)

    def _save(self, run: RunDirectory, name: str, file: str, future: str = "") -> None:
        def answered(output: str | None) -> None:
            if output:
                what = (file or "what follows its data") + f", then {future}" * bool(future)
                errands_of(self._screen.app).ask(
                    f"Predicting {what} by {run.id}, to {output}",
                    _predicted,
                    "save predictions",
                    run=run.id,
                    output=output,
                    file=file,
                    future=future,
                )

        path = _free(f"./{name}-predictions", ".csv")
        title = "Save predictions to (.csv or .parquet)"
        dialog = PathPickerScreen(title, path, purpose="write")
        self._screen.app.push_screen(dialog, answered)

    def export(self, run: RunDirectory) -> None:
        """Export the model in a format, to a path from the user."""
        config = self._config_with_model(run)
        if config is None:
            return
        adapter = (run.model / "adapter_config.json").exists()
        writes = isinstance(config.task, GenerationConfig)
        forms = suitable_forms(adapter, writes, keeps_boosting(run))
        dialog = ChoiceScreen(f"Export {run.id} as", forms, "adapter" if adapter else "folder")
        self._screen.app.push_screen(
            dialog, lambda form: self.export_as(run, config.name, form) if form else None
        )

    def export_as(self, run: RunDirectory, name: str, form: str) -> None:
        """Export the model of a run in a format, to a path from the user."""

        def answered(path: str | None) -> None:
            if path:
                doing = f"Exporting {run.id} ({form}) to {path}; it is checked before it is kept"
                errands_of(self._screen.app).ask(
                    doing, _exported, "export", run=run.id, destination=path, form=form
                )

        title = f"Merge {run.id}, to" if form == "merged" else f"Export {run.id}, to"
        dialog = PathPickerScreen(title, free_name(name, form), purpose="write")
        self._screen.app.push_screen(dialog, answered)

    def report(self, run: RunDirectory) -> None:
        """Write a page about the run, as HTML or Markdown."""

        def answered(path: str | None) -> None:
            if path:
                work = partial(_report, run, path)
                errands_of(self._screen.app).do(
                    f"Writing a report on {run.id}", _report_written, lambda _: work()
                )

        title = f"Report, written to ({' or '.join(FORMATS)})"
        path = _free(f"./{run.id}", ".html")
        dialog = PathPickerScreen(title, path, purpose="write")
        self._screen.app.push_screen(dialog, answered)

    def push(self, run: RunDirectory) -> None:
        """Push the model to the hub, for the eyes that the user chooses."""
        if self._config_with_model(run) is None:
            return

        def visible(repository: str, visibility: str | None) -> None:
            if visibility:
                errands_of(self._screen.app).ask(
                    f"Pushing {run.id} to {repository} ({visibility})",
                    lambda answer: [f"{answer['url']}: {size(answer['bytes'])}."],
                    "push",
                    run=run.id,
                    repository=repository,
                    form="folder",
                    private=visibility == "private",
                )

        def answered(repository: str | None) -> None:
            if repository:
                dialog = ChoiceScreen(f"{repository} can be read by", _VISIBLE, "private")
                self._screen.app.push_screen(dialog, partial(visible, repository))

        dialog = AskValueScreen("Push to the hub as OWNER/NAME", "", _repository)
        self._screen.app.push_screen(dialog, answered)

    def evaluate(self, run: RunDirectory) -> None:
        """Evaluate a language model on benchmarks of lm-eval."""
        config = self._config_with_model(run)
        if config is None:
            return
        if not isinstance(config.task, GenerationConfig | Seq2SeqConfig):
            tell(self._screen, f"{run.id} is not a language model; lm-eval is for those.")
            return

        def answered(tasks: str | None) -> None:
            names = [name.strip() for name in (tasks or "").split(",") if name.strip()]
            if names:
                errands_of(self._screen.app).ask(
                    f"Benchmarks of {run.id}: {', '.join(names)}",
                    lambda answer: [f"The benchmarks are in the results, and in {run.evals.path}."],
                    "benchmarks",
                    run=run.id,
                    tasks=names,
                )

        title = "Tasks of lm-eval, such as hellaswag,arc_easy"
        self._screen.app.push_screen(AskValueScreen(title, "", _tasks), answered)

    def _config_with_model(self, run: RunDirectory) -> RunConfig | None:
        """Return the configuration of a run that has a model; else say that it has none."""
        try:
            if (imported := run.config.imported()) is not None:
                raise imported.refusal
            if not (run.model / "manifest.json").is_file():
                tell(self._screen, f"{run.id} has no finished model. Let it finish, or stop it.")
                return None
            return run.config.read()
        except UserError as error:
            complain(self._screen, error)
            return None


def _predicted(answer: Answer) -> list[str]:
    notes = answer["notes"]
    beside = f" ({len(notes)} notes on the file: `dltui predict` shows them)" if notes else ""
    return [f"{answer['rows']:,} rows of predictions{beside} in {answer['path']}"]


def _exported(answer: Answer) -> list[str]:
    further = [*answer.get("notes", ()), answer.get("command")]
    return [f"{export_sentence(answer)}.", *(line for line in further if line)]


def _report(run: RunDirectory, path: str) -> Answer:
    target = expanded(path)
    write_report(run, [target])
    return {"path": str(target.absolute())}


def _report_written(answer: Answer) -> list[str]:
    return [f"{answer['path']} is written."]


def _repository(text: str) -> None:
    owner, _, name = text.partition("/")
    if not owner or not name:
        raise UserError("A repository is named OWNER/NAME.")


def _tasks(text: str) -> None:
    if not text.strip(" ,"):
        raise UserError("Name at least one task.")


def _free(path: str, suffix: str) -> str:
    """Return a name that no file has."""
    number = 1
    while expanded(path + (f"-{number}" if number > 1 else "") + suffix).exists():
        number += 1
    return path + (f"-{number}" if number > 1 else "") + suffix
