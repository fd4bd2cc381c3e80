#include "base/testing/status_matchers.h"

TEST_CASE("timer placeholder") {}
