#include "base/testing/status_matchers.h"
