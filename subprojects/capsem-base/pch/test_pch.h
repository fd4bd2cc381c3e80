// Precompiled for the unit tests: Catch2's one header is most of what a test costs to compile.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <string>
#include <vector>
