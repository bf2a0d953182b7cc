"""What stands between `lualoft` and the sub-command, and the settings that follow from it.

`app` makes one and every sub-command gets it as click's `obj`; those of the worker side see it as `LoadsSettings`,
a protocol of their own. Nothing else of the command line reads the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher.protocol.settings_source import LoadedSettings, load_settings


@dataclass(frozen=True)
class GlobalOptions:
    """The global options, and the environment of the process."""

    #: Settings file; None: the one that LUALOFT_CONFIG names, if any.
    config_path: str | None
    #: May hold a password.
    redis_url: str | None = field(repr=False)
    is_verbose: bool
    #: May hold the key.
    environ: Mapping[str, str] = field(repr=False)

    def load(self, flags: Mapping[str, object] | None = None) -> LoadedSettings:
        """Read the settings.

        Args:
            flags: dotted name -> value of what the sub-command's own options set; None counts as not given.

        Raises:
            SettingsError: one of them cannot be used.
        """
        return load_settings(
            toml_path=self.config_path,
            environ=self.environ,
            flags={"redis.url": self.redis_url, **(flags or {})},
        )
