"""What all tests share: the kit that plugin authors get, with its node and its users, and limits on time."""

pytest_plugins = ["chatnode.testing", "tests.limits", "tests.quick"]
