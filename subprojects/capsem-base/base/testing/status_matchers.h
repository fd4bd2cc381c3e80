// REQUIRE_OK(expression), REQUIRE_CODE(expression, kNotFound) and VALUE_OF(expression) for tests: a
// failure prints the status.
#pragma once

#include "base/status.h"

#include <catch2/catch.hpp>

#define REQUIRE_OK(expression)                                                     \
  do {                                                                             \
    const absl::Status tested_status = ::capsem::internal::StatusOf((expression)); \
    INFO(::capsem::Describe(tested_status));                                       \
    REQUIRE(tested_status.ok());                                                   \
  } while (false)

#define REQUIRE_CODE(expression, expected)                                         \
  do {                                                                             \
    const absl::Status tested_status = ::capsem::internal::StatusOf((expression)); \
    INFO(::capsem::Describe(tested_status));                                       \
    REQUIRE(tested_status.code() == ::capsem::StatusCode::expected);               \
  } while (false)

#define VALUE_OF(expression)          \
  __extension__({                     \
    auto tested_value = (expression); \
    REQUIRE_OK(tested_value);         \
    *std::move(tested_value);         \
  })
