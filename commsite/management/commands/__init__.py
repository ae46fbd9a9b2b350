"""Commands of the whole site: ``serve``, ``runserver``, ``seed``."""
