"""What libraries raise while they load a model: one sentence, with the command that mends it."""

from __future__ import annotations

import errno
import json
import pickle
import re
import zipfile
from collections.abc import Callable

from ..errors import DiskError, FiberAuditError, WeightsError
from .evidence import Evidence, line_of
from .files import trouble_in
from .offline import NetworkShut

FULL = (errno.ENOSPC, errno.EDQUOT)
LOCKED = (errno.EACCES, errno.EPERM, errno.EROFS)
DAMAGED = (EOFError, UnicodeDecodeError, json.JSONDecodeError, pickle.UnpicklingError)
DAMAGED_WORDS = re.compile(
    "PytorchStreamReader|central directory|Consistency check failed|invalid hash|SHA256|checksum"
)
COPY = "copy its folder from a machine that has it and give its path"


def failure(error: BaseException, model: str, download: bool) -> FiberAuditError:
    """The sentence about an exception that came up while `model` was loaded."""
    case = Evidence.of_failure(error, model, download)
    if disk := _disk(case):
        return DiskError(f"{model}: {disk}")
    for told in TOLD:
        if sentence := told(case):
            return WeightsError(f"{model}: {sentence}")
    return WeightsError(
        f"{model}: its library cannot read it ({case.reason}); check that it is complete, and a "
        f"model of the kind that this component is for."
    )


def _disk(case: Evidence) -> str | None:
    cache = case.place.cache
    codes = {error.errno for error in case.chain if isinstance(error, OSError)}
    texts = " ".join(map(str, case.chain))
    if codes & {*FULL} or "No space left on device" in texts:
        return (
            f"no space is left on the disk of {cache}; free some, or set HF_HOME to a folder on "
            f"another disk."
        )
    if case.download and codes & {*LOCKED}:
        return f"{cache} cannot be written; set HF_HOME to a folder that can."
    return None


def _extra(case: Evidence) -> str | None:
    for error in (case.chain[0], case.chain[0].__cause__):
        if isinstance(error, ModuleNotFoundError) and error.name:
            return f"{error.name} is not installed, which it needs; run: pip install {error.name}"
        if isinstance(error, ImportError):
            return f"a library that it needs is missing ({line_of(error)}); install that."
    return None


def _path(case: Evidence) -> str | None:
    if case.place.is_path and case.place.local is None:
        return "no such file or folder; correct the path."
    return None


def _gated(case: Evidence) -> str | None:
    if error := case.of("GatedRepoError"):
        name = getattr(error, "repo_id", None) or case.place.name
        return (
            f"{name} is gated; accept its licence at https://huggingface.co/{name}, then run: "
            f"hf auth login"
        )
    return None


def _revision(case: Evidence) -> str | None:
    if error := case.of("RevisionNotFoundError"):
        name = getattr(error, "repo_id", None) or case.place.name
        return (
            f"{name} has no such revision; set revision to a branch, a tag or a commit that "
            f"https://huggingface.co/{name}/tree/main lists."
        )
    return None


def _repository(case: Evidence) -> str | None:
    if case.of("HFValidationError"):
        return "neither a folder that exists nor a name of the hub; correct it."
    if error := case.of("RepositoryNotFoundError"):
        name = getattr(error, "repo_id", None) or case.place.name
        return f"the hub has no {name}, or it is private; correct the name, or run: hf auth login"
    return None


def _lacks(case: Evidence) -> str | None:
    if case.of("RemoteEntryNotFoundError") and not case.of("LocalEntryNotFoundError"):
        return (
            f"it lacks a file that this component reads ({case.reason}); is it a model of another "
            f"library?"
        )
    return None


def _answer(case: Evidence) -> str | None:
    if case.status is None:
        return None
    if case.status == 401:
        return "the hub refuses the token (401); run: hf auth login"
    if case.status == 403:
        return (
            "the hub refuses it to this token (403); give the token read access at "
            "https://huggingface.co/settings/tokens, then run: hf auth login"
        )
    return f"the server answered {case.status} ({case.reason}); try again later, or {COPY}."


def _absent(case: Evidence) -> str | None:
    if case.unreachable is None:
        return None
    if isinstance(case.unreachable, NetworkShut):  # not of the hub, but of some plain address
        return (
            f"not in the cache of its library, which would fetch it from {case.unreachable}; set "
            f"download = true, or give the path of a file of weights."
        )
    if not case.download:
        return f"{case.place.absent}; set download = true, or {COPY}."
    if case.place.switched_off:
        return (
            f"{case.place.absent}, and HF_HUB_OFFLINE forbids the download; run: "
            f"unset HF_HUB_OFFLINE"
        )
    return (
        f"no connection, though download = true ({line_of(case.unreachable)}); check the network "
        f"and HTTPS_PROXY, or {COPY}."
    )


def _damaged(case: Evidence) -> str | None:
    if trouble := trouble_in(case.place.local or case.place.cached):
        return trouble
    signs = (error for error in case.chain if isinstance(error, (*DAMAGED, zipfile.BadZipFile)))
    broken = next(signs, None) or case.of("SafetensorError")
    if broken is None:
        broken = next((e for e in case.chain if DAMAGED_WORDS.search(str(e))), None)
    if broken is None:
        return None
    where = case.place.local or case.place.cached or case.place.cache
    return f"a file of it is damaged or cut short ({line_of(broken)}); replace it in {where}."


TOLD: tuple[Callable[[Evidence], str | None], ...] = (
    _path,
    _extra,
    _gated,
    _revision,
    _repository,
    _lacks,
    _answer,
    _absent,
    _damaged,
)
