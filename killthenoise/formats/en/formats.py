"""How Django writes times in the admin: with seconds and zone.

https://docs.djangoproject.com/en/5.2/topics/i18n/formatting/
"""

DATETIME_FORMAT = "Y-m-d H:i:s e"
