// Precompiled for the rooms' unit tests: Catch2's one header, and what nearly every file includes,
// are most of what a test costs to compile.
#include <absl/functional/any_invocable.h>
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>
