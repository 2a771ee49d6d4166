"""The tables of an evaluation: one file each, in the order of the report."""

from typing import Any

from amesh.evaluation.table import Table
from amesh.evaluation.tables.agreement import AGREEMENT
from amesh.evaluation.tables.bins import BINS
from amesh.evaluation.tables.confidence import CONFIDENCE
from amesh.evaluation.tables.depth import DEPTH
from amesh.evaluation.tables.detection import DETECTION
from amesh.evaluation.tables.error_maps import ERROR_MAPS
from amesh.evaluation.tables.errors import FULL, IN_ROI
from amesh.evaluation.tables.face_flag import FACE_FLAG
from amesh.evaluation.tables.failures import FAILURES
from amesh.evaluation.tables.fitted import FITTED_FULL, FITTED_IN_ROI
from amesh.evaluation.tables.jitter import JITTER
from amesh.evaluation.tables.offsets import OFFSETS
from amesh.evaluation.tables.openings import OPENINGS
from amesh.evaluation.tables.over_time import OVER_TIME
from amesh.evaluation.tables.robustness import ROBUSTNESS
from amesh.evaluation.tables.table_2 import TABLE_2
from amesh.evaluation.tables.unreadable import UNREADABLE
from amesh.evaluation.tables.worse import WORSE
from amesh.evaluation.tables.worst_faces import WORST_FACES

TABLES: tuple[Table[Any], ...] = (
    TABLE_2,
    DETECTION,
    FACE_FLAG,
    IN_ROI,
    FULL,
    FITTED_IN_ROI,
    FITTED_FULL,
    FAILURES,
    BINS,
    OPENINGS,
    WORSE,
    DEPTH,
    CONFIDENCE,
    ROBUSTNESS,
    JITTER,
    OVER_TIME,
    ERROR_MAPS,
    WORST_FACES,
    OFFSETS,
    AGREEMENT,
    UNREADABLE,
)
