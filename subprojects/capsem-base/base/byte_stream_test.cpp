#include "base/testing/status_matchers.h"

TEST_CASE("byte_stream placeholder") {}
