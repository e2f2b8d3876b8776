"""Settings of a session: the older modes and the newer options, told as one list."""

from typing import Any

from apps.agents.adapters import events

MODE = "mode"

Row = dict[str, Any]


class Settings:
    """What can be set in a session, and how it is set now."""

    def __init__(self) -> None:
        self._mode = ""
        self._modes: tuple[events.Choice, ...] = ()
        self._model = ""
        self._models: tuple[events.Choice, ...] = ()
        self._options: tuple[events.Setting, ...] = ()

    def read(self, answer: Row) -> None:
        """This will take what a session's opening answered."""
        modes = answer.get("modes")
        if isinstance(modes, dict):
            self._mode = str(modes.get("currentModeId") or "")
            self._modes = _choices(modes.get("availableModes"), key="id")
        models = answer.get("models")
        if isinstance(models, dict):
            self._model = str(models.get("currentModelId") or "")
            self._models = _choices(models.get("availableModels"), key="modelId")
        if isinstance(answer.get("configOptions"), list):
            self._options = _options(answer["configOptions"])

    def all(self) -> tuple[events.Setting, ...]:
        """This will be all settings; the older lists only where no option says the same."""
        categories = {option.category for option in self._options}
        older = []
        if self._modes and MODE not in categories:
            older.append(
                events.Setting(
                    id=MODE, label="Mode", category=MODE, value=self._mode, choices=self._modes
                )
            )
        if self._models and "model" not in categories:
            older.append(
                events.Setting(
                    id="model",
                    label="Model",
                    category="model",
                    value=self._model,
                    choices=self._models,
                )
            )
        return (*older, *self._options)

    def event(self) -> events.Options:
        """This will be the settings as an event."""
        return events.Options(settings=self.all())

    def find(self, key: str) -> events.Setting | None:
        """This will be the setting of that id, or else of that category."""
        everything = self.all()
        for setting in everything:
            if setting.id == key:
                return setting
        return next((setting for setting in everything if setting.category == key), None)

    @property
    def has_modes(self) -> bool:
        """This will be true when the older list of modes exists."""
        return bool(self._modes)

    @property
    def mode_ids(self) -> tuple[str, ...]:
        """This will be the ids of all modes, whichever list they stand in."""
        setting = self.find(MODE)
        return tuple(choice.id for choice in setting.choices) if setting else ()

    def is_older(self, key: str) -> bool:
        """This will be true for a setting that the agent knows from one of the older lists only."""
        return not any(key in {option.id, option.category} for option in self._options)

    def set_older(self, key: str, value: str) -> None:
        """This will note a change to one of the older lists, which the agent does not repeat."""
        if key == MODE:
            self._mode = value
        else:
            self._model = value

    def mode_update(self, row: Row) -> list[events.Event]:
        """This will take a change of mode."""
        mode = str(row.get("currentModeId") or "")
        self._mode = mode
        self._options = tuple(
            events.Setting(
                id=option.id,
                label=option.label,
                category=option.category,
                value=mode,
                choices=option.choices,
            )
            if option.category == MODE and any(choice.id == mode for choice in option.choices)
            else option
            for option in self._options
        )
        return [self.event()]

    def options_update(self, row: Row) -> list[events.Event]:
        """This will take the new state of all options."""
        self._options = _options(row.get("configOptions"))
        return [self.event()]


def _choices(rows: Any, *, key: str) -> tuple[events.Choice, ...]:
    found: list[events.Choice] = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        if isinstance(row.get("options"), list):
            found += _choices(row["options"], key=key)
        elif isinstance(row.get(key), str):
            found.append(
                events.Choice(
                    id=row[key],
                    label=str(row.get("name") or row[key]),
                    description=str(row.get("description") or ""),
                )
            )
    return tuple(found)


def _options(rows: Any) -> tuple[events.Setting, ...]:
    found = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("id"), str):
            value = row.get("currentValue")
            found.append(
                events.Setting(
                    id=row["id"],
                    label=str(row.get("name") or row["id"]),
                    category=str(row.get("category") or ""),
                    value=value if isinstance(value, bool | str) else "",
                    choices=_choices(row.get("options"), key="value"),
                )
            )
    return tuple(found)
