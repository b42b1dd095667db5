"""Back to the newest complete state, in the middle of an attempt."""

from dataclasses import dataclass

from lccp_trainer.parallel.process_group import Shared
from lccp_trainer.state.progress import Point
from lccp_trainer.state.publish import complete_tokens
from lccp_trainer.state.resume import Resume
from lccp_trainer.state.uploads import Uploader


@dataclass
class Rewind:
    """Puts the engine where the newest complete state has it. Called on every process alike."""

    resume: Resume
    uploader: Uploader
    shared: Shared
    _count: int = 0

    def __call__(self) -> Point | None:
        """Where the engine is now; None, and nothing changed, if no state verifies."""
        self._count += 1
        self.uploader.wait()
        resume = self.resume
        states = self.shared(
            f"rewind/{self._count}", lambda: complete_tokens(resume.store, resume.keys.states)
        )
        found, _ = resume.newest(states)
        return found.point if found else None
