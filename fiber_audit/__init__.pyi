from ._front.door import audit as audit
from ._front.door import load_suite as load_suite
from ._front.door import run as run
from ._front.result import Result as Result
from ._suite.condition import Condition as Condition
from ._suite.suite import Suite as Suite
from .errors import DataError as DataError
from .errors import DiskError as DiskError
from .errors import DivergedError as DivergedError
from .errors import FiberAuditError as FiberAuditError
from .errors import PluginError as PluginError
from .errors import SuiteError as SuiteError
from .errors import UnknownName as UnknownName
from .errors import UsageError as UsageError
from .errors import WeightsError as WeightsError
from .errors import suggestion as suggestion
from .hookspecs import hookimpl as hookimpl

__version__: str
