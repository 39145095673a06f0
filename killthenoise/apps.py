from django.apps import AppConfig


class KillTheNoiseConfig(AppConfig):
    name = "killthenoise"

    def ready(self) -> None:
        from killthenoise import checks  # noqa: F401 importing registers them
