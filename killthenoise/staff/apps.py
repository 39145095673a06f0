from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "killthenoise.staff"
    verbose_name = "Staff"
