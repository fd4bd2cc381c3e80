"""An ordinary user, from nothing to a command in a machine."""


def pytest_configure(config):
    config.addinivalue_line("markers", "bootstrap: An ordinary user builds an image, creates, executes and deletes.")
