#include "base/testing/status_matchers.h"

TEST_CASE("unix_socket placeholder") {}
