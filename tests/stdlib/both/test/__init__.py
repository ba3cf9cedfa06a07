"""The interpreter's own package of tests, with those of Debian behind it: for workers, which import it by name."""

import os
import sys
import sysconfig

__path__ = [os.path.join(sysconfig.get_path("stdlib"), "test"), "/usr/lib/python{}.{}/test".format(*sys.version_info)]
