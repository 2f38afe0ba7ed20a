"""What is written down: the study's specification and its runs, as plain data.

Each class is one JSON object on disk.
Unknown fields and values out of range are refused when a record is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from linewise.foundations.atomic import write_text
from linewise.foundations.defaults import BETAS, CLIP, EPOCHS, FALL, LABEL_SMOOTHING, LR, RISE, WEIGHT_DECAY
from linewise.foundations.errors import DataError, LinewiseError
from linewise.foundations.names import shown

SCHEMA_VERSION = 1

Family = Literal["recurrent", "convolutional", "attention", "control", "other"]
Status = Literal["finished", "diverged", "failed"]
Match = Literal["params", "macs", "none"]
Fall = Literal["cosine", "linear"]


class Record(BaseModel):
    """Base of all records: frozen, no unknown fields, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_text(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read from JSON.

        Raises:
            DataError: the file is missing, no JSON, of a newer schema, or a field is wrong (named).
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise cannot_be_read(error, path) from None
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise describe(error, where=str(path), kind=DataError) from None


def cannot_be_read(error: Exception, path: Path) -> DataError:
    """The error for a file that is missing, a folder, forbidden or no UTF-8."""
    why = error.strerror if isinstance(error, OSError) else str(error)
    return DataError(f"cannot be read ({why})", where=str(path))


def describe(error: ValidationError, *, where: str, kind: type[LinewiseError]) -> LinewiseError:
    """A pydantic error as one of ours: the first wrong field, what was found, what was expected."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    found = repr(first.get("input"))
    found = found if len(found) <= 60 else found[:57] + "..."
    return kind(f"{field} = {found}" if field else f"not valid: {found}", where=where, expected=first["msg"])


class Cost(Record):
    """What a network costs for one image.

    Attributes:
        parameters: trained numbers.
        macs: multiply-accumulates of one forward pass (1 MAC = 2 FLOP); element-wise work is not in it.
        activation_bytes: bytes kept for the backward pass, float32.
        sequential_depth: longest chain of matrix products and convolutions that wait for one another; None for a
            network whose wiring is not known here.
    """

    parameters: int = Field(ge=0)
    macs: int = Field(ge=0)
    activation_bytes: int = Field(ge=0)
    sequential_depth: int | None = Field(None, ge=0)


class ModelSpec(Record):
    """One network of a study: its label there, its registered name, its sizes and its cost.

    Attributes:
        label: unique in the study and safe as a file name, such as `lstm` or `lstm@columns`.
        sizes: keyword arguments of `create_model`, the solved width included.
        miss: how far the matched cost is from the budget, as a fraction; None where nothing was matched.
        note: why the width could not be matched, else empty.
    """

    label: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+=,-]*$", max_length=120)
    name: str
    family: Family
    sizes: dict[str, Any] = {}
    cost: Cost
    miss: float | None = None
    note: str = ""


Share = Annotated[float, Field(ge=0, lt=1)]


class TrainingDials(Record):
    """What a person chooses about training.

    Attributes:
        epochs: passes over the training images.
        lr: peak learning rate of the one-cycle schedule.
        weight_decay: decoupled weight decay on weights, not on biases and norms.
        clip: largest norm of the gradient; 0 turns clipping off.
        label_smoothing: share of the target spread over all classes.
        augment: augmentations by name and strength, such as {"shift": 2}.
        read_along: share of the loss that is taken after the steps and not at the end; acts on networks that read
            in one direction only.
        rise: share of the steps in which the learning rate rises.
        fall: shape of its rise and fall, `cosine` or `linear`.
        betas: what AdamW keeps of its running means of the gradient and of its square at each step.
    """

    epochs: int = Field(EPOCHS, ge=1, le=100_000)
    lr: float = Field(LR, gt=0, le=10)
    weight_decay: float = Field(WEIGHT_DECAY, ge=0, le=10)
    clip: float = Field(CLIP, ge=0)
    label_smoothing: float = Field(LABEL_SMOOTHING, ge=0, lt=1)
    augment: dict[str, float] = {}
    read_along: float = Field(0.0, ge=0, le=1)
    rise: float = Field(RISE, gt=0, lt=1)
    fall: Fall = FALL
    betas: tuple[Share, Share] = BETAS


class Recipe(TrainingDials):
    """How every network of a study is trained: AdamW, one-cycle learning rate, gradient clipping.

    Attributes:
        batch_size: images per step.
    """

    batch_size: int = Field(128, ge=1)


Device = Literal["cpu", "cuda"]
"""Where networks are trained."""


Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""What decides weights, order and augmentation of a run."""


class _Open(BaseModel):
    """Part of a record that may hold more than is known here."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class _Remark(_Open):
    text: str


class _Duplicates(_Open):
    within: dict[str, int] = {}
    across: dict[str, int] = {}
    conflicts: int = 0


class Checked(_Open):
    """What analysis and report take from the result of a check."""

    warnings: list[_Remark] = []
    balance: float | None = None
    duplicates: _Duplicates = _Duplicates()
    sizes: dict[str, int] = {}
    modes: dict[str, int] = {}
    unreadable: dict[str, str] = {}


class DataRecord(Record):
    """The images of a study.

    Attributes:
        name: how the data were asked for, such as `mnist` or a folder's name.
        fingerprint: SHA-256 over all images and labels of all splits.
        shape: height, width, channels as the networks see them.
        counts: images per split (`train`, `validation`, `test`) and class.
        preprocessing: the object that turns any image into what the networks see.
        options: what `linewise` was asked for: size, fit, number of images, split seed.
        check: the result of `linewise data check`.
    """

    name: str
    fingerprint: str
    class_names: list[str]
    shape: tuple[int, int, int]
    counts: dict[str, dict[str, int]]
    preprocessing: dict[str, Any]
    options: dict[str, Any] = {}
    check: dict[str, Any] = {}

    @field_validator("check")
    @classmethod
    def _readable(cls, check: dict[str, Any]) -> dict[str, Any]:
        Checked.model_validate(check)
        return check

    @field_validator("class_names")
    @classmethod
    def _different(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("each class name once")
        return names

    @property
    def shown_names(self) -> list[str]:
        """Class names for people: see `foundations.names.shown`."""
        return [shown(name) for name in self.class_names]


FIRST_TUNING_SEED = 1_000_000
"""Trials take their seeds from here on; final runs have 0, 1, 2, … below it."""


class TuningPlan(Record):
    """How much is spent on the settings of each network before the final runs; the same for all.

    Attributes:
        trials: per network, failed and diverged ones included.
        epochs: of each trial.
        images: training images used in each trial, chosen once for all; None uses all.
        seed_base: trial i is trained with seed `seed_base + i`, which no final run has.
    """

    trials: int = Field(ge=1, le=100_000)
    epochs: int = Field(ge=1, le=100_000)
    images: int | None = Field(None, ge=1)
    seed_base: int = Field(default=FIRST_TUNING_SEED, ge=FIRST_TUNING_SEED)


class StudySpec(Record):
    """What a study does; `STUDY/study.json`. Without a tuning plan, every network has the study's recipe."""

    schema_version: Literal[1] = SCHEMA_VERSION
    linewise_version: str
    created: str
    command: str
    data: DataRecord
    models: list[ModelSpec]
    recipe: Recipe
    seeds: list[Seed]
    match: Match
    budget: int | None
    threads: int = Field(ge=1)
    device: Device = "cpu"
    tuning: TuningPlan | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what, found in (("models", [model.label for model in self.models]), ("seeds", self.seeds)):
            if len(set(found)) < len(found):
                raise ValueError(f"each of the {what} once")
        return self


class Environment(Record):
    """Where a run ran.

    Attributes:
        threads: of each process.
        ranks: processes that trained it together, each with its part of every batch.
    """

    linewise: str
    python: str
    torch: str
    numpy: str
    system: str
    processor: str
    cores: int
    threads: int
    ranks: int = Field(1, ge=1)
    device: str = "cpu"
    kernels: str = ""
    guarantee: str = ""


class Epoch(Record):
    """One line of `epochs.csv`. Training figures are running means over the epoch's steps.

    `train_s` counts training only, without evaluation.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    train_s: float


class Latency(Record):
    """Time of one forward pass at a batch size: median and quartiles over `repeats`, after warm-up."""

    batch_size: int
    median_ms: float
    low_ms: float
    high_ms: float
    repeats: int


class Times(Record):
    """Durations of a run.

    Attributes:
        train_s: of training, evaluation left out; its share where several seeds were trained at once.
        images_per_s: training rate over all epochs, from `train_s`.
        seeds_at_once: seeds trained at once in one stacked computation; with more than one, the rate is no speed
            of one network.
    """

    train_s: float
    images_per_s: float
    seeds_at_once: int = Field(1, ge=1)
    latency: list[Latency] = []


class Origin(Record):
    """The run that another one extends.

    Attributes:
        run: its folder, as it was named.
        epochs: that it was trained for, all told.
        sha256: of the weights that were taken from it.
    """

    run: str
    epochs: int = Field(ge=1)
    sha256: str


class RunPlan(Record):
    """A run of its own that is not over; `RUN/checkpoint/plan.json`.

    Attributes:
        study: a specification of one network and one seed.
        origin: the run that it extends, if any.
    """

    study: StudySpec
    origin: Origin | None = None


class RunRecord(Record):
    """One trained network; `STUDY/runs/<label>-<seed>/run.json`.

    Accuracies are fractions of 1. `train_accuracy` is measured in evaluation mode after the last epoch.
    A diverged or failed run keeps its place, with `reason`. `origin` is the run that it extends, if any.
    `retried` says why earlier attempts came to nothing: a worker process that was killed, or hung.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    model: ModelSpec
    seed: Seed
    status: Status
    reason: str = ""
    recipe: Recipe
    data_name: str
    data_fingerprint: str
    num_train: int
    environment: Environment
    started: str
    times: Times | None = None
    train_accuracy: float | None = Field(None, ge=0, le=1)
    validation_accuracy: float | None = Field(None, ge=0, le=1)
    test_accuracy: float | None = Field(None, ge=0, le=1)
    origin: Origin | None = None
    retried: list[str] = []


class Opening(Record):
    """One opening of the sealed test set; a line of `STUDY/openings.jsonl`."""

    time: str
    reason: str
    runs: list[str]
    command: str = ""
