"""Weights & Biases, so that training never dies for its sake.

Without a key the run is recorded offline (`wandb sync` uploads it later); when the service cannot
be reached, too; whatever else goes wrong is said once, and training goes on. The CSV file that
every run writes does not depend on any of this.
"""

import netrc
import os
import uuid
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

# How long W&B may take to answer before the run goes offline [s].
_PATIENCE = 30.0


def has_key() -> bool:
    """Whether somebody logged in to W&B on this machine."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        found = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return False
    return found is not None


class Tracker(Logger):
    """A Lightning logger that writes to W&B, online or offline."""

    def __init__(
        self,
        project: str = "amesh",
        name: str | None = None,
        id: str | None = None,
        save_dir: str = "logs",
        tags: Sequence[str] = (),
        offline: bool | None = None,
    ) -> None:
        """Starts nothing yet.

        Args:
            project: The W&B project.
            name: What the run is called; W&B makes a name up otherwise.
            id: Of a run to go on with; a checkpoint that training resumes from brings its own.
            save_dir: The folder for W&B's own files.
            tags: Words to find the run by.
            offline: Whether to record without sending; by default where there is no key.

        Attributes `failed`, `offline` and `disabled` say what became of it; `WANDB_MODE` comes
        before `offline`.
        """
        super().__init__()
        self.run_id = id or uuid.uuid4().hex[:12]
        self._options: dict[str, Any] = {
            "project": project,
            "name": name,
            "tags": list(tags),
            "dir": save_dir,
            "resume": "allow",
        }
        mode = os.environ.get("WANDB_MODE")
        self.disabled = mode == "disabled"
        self.offline = mode in ("offline", "dryrun")  # W&B's old name of it
        self.offline |= not has_key() if offline is None else offline
        self._project = project
        self._run: Any = None
        self.failed = False

    @property
    def name(self) -> str:
        """The project."""
        return self._project

    @property
    def run_name(self) -> str | None:
        """What the run is called, if it was given a name."""
        name: str | None = self._options["name"]
        return name

    @property
    def version(self) -> str:
        """The run's id."""
        return self.run_id

    @property
    def save_dir(self) -> str:
        """The folder for W&B's own files."""
        return str(self._options["dir"])

    @rank_zero_only
    def log_hyperparams(
        self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Sends the configuration."""
        config = vars(params) if isinstance(params, Namespace) else dict(params)
        self._try(lambda run: run.config.update(config, allow_val_change=True))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Sends numbers."""
        values = dict(metrics) if step is None else {**metrics, "trainer/global_step": step}
        self._try(lambda run: run.log(values))

    @rank_zero_only
    def log_pictures(self, key: str, pictures: Sequence[Any], captions: Sequence[str]) -> None:
        """Sends pictures, (h w 3) uint8. Faces go to a tracker only where the config says so."""

        def send(run: Any) -> None:
            import wandb

            pairs = zip(pictures, captions, strict=True)
            run.log({key: [wandb.Image(picture, caption=text) for picture, text in pairs]})

        self._try(send)

    @rank_zero_only
    def log_file(self, path: Path, kind: str, release: bool = False) -> None:
        """Sends a file as an artifact, such as a checkpoint or an exported network.

        Args:
            path: The file.
            kind: Of artifact.
            release: Whether it gets the alias `release`.
        """

        def send(run: Any) -> None:
            import wandb

            artifact = wandb.Artifact(f"{path.stem}-{self.run_id}", type=kind)
            artifact.add_file(str(path))
            run.log_artifact(artifact, aliases=["latest", *(["release"] if release else [])])

        self._try(send)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Ends the run."""
        if self._run is not None:
            self._try(lambda run: run.finish(exit_code=0 if status == "success" else 1))
            self._run = None

    def _try(self, action: Callable[[Any], None]) -> None:
        """Does something with the run; the first failure ends tracking, not training."""
        if self.failed:
            return
        try:
            if self._run is None:
                self._run = self._start()
            action(self._run)
        except Exception as error:  # whatever it is, training goes on
            self.failed = True
            warnings.warn(f"W&B: {error}; training goes on without it", stacklevel=3)

    def _start(self) -> Any:
        import wandb

        Path(self.save_dir).mkdir(parents=True, exist_ok=True)
        options = {**self._options, "id": self.run_id}
        settings = wandb.Settings(init_timeout=_PATIENCE)
        if not self.offline and not self.disabled:
            try:
                return wandb.init(**options, settings=settings)
            except Exception as error:  # no network, a wrong key, a timeout
                warnings.warn(f"W&B: {error}; recording offline", stacklevel=4)
                self.offline = True
        return wandb.init(
            **options, settings=settings, mode="disabled" if self.disabled else "offline"
        )
