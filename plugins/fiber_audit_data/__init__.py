"""Pictures and tables that a user keeps, by the layouts that they are kept in, as queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_datasets() -> Offers:
    """Offer folders, shards, known collections, tables, and a prior's own draws."""
    return {
        "image-folder": "fiber_audit_data.image_folder:ImageFolder",
        "parquet-images": "fiber_audit_data.parquet_images:ParquetImages",
        "webdataset": "fiber_audit_data.webdataset:WebDataset",
        "medmnist": "fiber_audit_data.medmnist:MedMNIST",
        "cue-conflict": "fiber_audit_data.cue_conflict:CueConflict",
        "chexpert": "fiber_audit_data.chexpert:CheXpert",
        "table": "fiber_audit_data.table:NumericTable",
        "prior-draws": "fiber_audit_data.prior_draws:PriorDraws",
    }
